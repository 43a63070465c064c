//! Many short lives below one supervisor: what they leave in memory.

use anyhow::Result;
use theater_tests::PassersBy;

use crate::clock::now;

/// A table of the memory as they pass.
pub(crate) async fn run(children: usize) -> Result<()> {
    let data = tempfile::tempdir()?;
    let passers_by = PassersBy::new(data.path()).await;
    let start = now();
    println!("{:>9}  {:>10}  {:>8}", "children", "a second", "MiB");
    for tenth in 1..=10 {
        let memory = passers_by.pass(children / 10).await;
        let passed = tenth * (children / 10);
        println!("{passed:>9}  {:>10.0}  {:>8}", passed as f64 / start.elapsed().as_secs_f64(), memory / 1024);
    }
    passers_by.world.runtime.shutdown().await?;
    Ok(())
}
