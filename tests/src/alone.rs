//! A test in a process of its own.

use std::future::Future;

/// Runs the named test again, in a process of its own, and there `test` on two threads: for what the
/// other tests would be counted in.
///
/// # Panics
/// It fails there.
#[track_caller]
pub fn alone(name: &str, test: impl Future<Output = ()>) {
    const ALONE: &str = "THEATER_TESTS_ALONE";
    if std::env::var_os(ALONE).is_some() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        return runtime.block_on(test);
    }
    let mut alone = std::process::Command::new(std::env::current_exe().unwrap());
    alone.args(["--exact", name, "--nocapture"]);
    let output = alone.env(ALONE, "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    // A name that is none runs nothing, and succeeds.
    let passed = output.status.success() && said.contains("1 passed");
    assert!(passed, "{said}\n{}", String::from_utf8_lossy(&output.stderr));
}
