//! The limit of a restart: bare wasmtime, with the same component and the settings of the runtime's
//! engine. A call that traps on one instance, then a fresh instance and its first call.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use theater::wasmtime::component::{Component, Linker, TypedFunc};
use theater::wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store};

type Answer = std::result::Result<(Option<Vec<u8>>, Option<Vec<u8>>), String>;
type Request = TypedFunc<(Option<Vec<u8>>, (String, Vec<u8>)), (Answer,)>;

const INTERFACE: &str = "theater:simple/message-server-client@0.1.0";

/// Component instances without anything of the runtime.
pub(crate) struct Bare {
    engine: Engine,
    pre: theater::wasmtime::component::InstancePre<()>,
}

impl Bare {
    pub(crate) fn new(component: &Path) -> Result<Self> {
        let mut pool = PoolingAllocationConfig::default();
        pool.max_memory_size(1 << 32)
            .linear_memory_keep_resident(128 << 10)
            .table_keep_resident(16 << 10)
            .pagemap_scan(Enabled::Auto);
        let mut config = Config::new();
        config
            .concurrency_support(false)
            .epoch_interruption(true)
            .cranelift_nan_canonicalization(true)
            .memory_init_cow(true)
            .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        let engine = Engine::new(&config)?;
        let component = Component::from_file(&engine, component)?;
        let mut linker = Linker::new(&engine);
        linker.define_unknown_imports_as_traps(&component)?;
        Ok(Self { pre: linker.instantiate_pre(&component)?, engine })
    }

    fn instance(&self) -> Result<(Store<()>, Request)> {
        let mut store = Store::new(&self.engine, ());
        store.set_epoch_deadline(u64::MAX / 2);
        let instance = self.pre.instantiate(&mut store)?;
        let interface = instance.get_export_index(&mut store, None, INTERFACE).context("no such interface")?;
        let function = instance.get_export_index(&mut store, Some(&interface), "handle-request");
        let request = instance.get_typed_func(&mut store, function.context("no such function")?)?;
        Ok((store, request))
    }

    /// From the trap of one instance to the first answer of the next.
    #[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
    pub(crate) fn restart(&self) -> Result<Duration> {
        let state = Some(br#"{"n":1}"#.to_vec());
        let (mut store, request) = self.instance()?;
        let call = |text: &str| (state.clone(), ("bench/1".to_owned(), text.as_bytes().to_vec()));
        request.call(&mut store, call("get"))?.0.map_err(anyhow::Error::msg)?;
        let start = Instant::now();
        anyhow::ensure!(request.call(&mut store, call("crash")).is_err(), "the guest did not trap");
        drop(store);
        let (mut store, request) = self.instance()?;
        request.call(&mut store, call("get"))?.0.map_err(anyhow::Error::msg)?;
        Ok(start.elapsed())
    }
}
