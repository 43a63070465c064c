//! Files and sockets can be imported, and every use is denied and recorded so.

use serde_json::json;

use crate::stage::Stage;

#[tokio::test]
async fn no_file_can_be_opened() {
    let stage = Stage::new();
    let clerk = stage.clerk().await;
    for path in ["/etc/passwd", "clerk.toml", "../x", "."] {
        assert_eq!(stage.ask(&clerk, &format!("open {path}")).await, "no file: NotFound", "{path}");
    }
    let asked = stage.host_calls(clerk.id(), "get-directories").await;
    assert_eq!(asked[0]["outcome"], json!({ "denied": "wasi.filesystem" }));
    assert_eq!(asked[0]["result"], json!([[]]));
    stage.verify(clerk.id()).await;
}

#[tokio::test]
async fn no_connection_can_be_made() {
    let stage = Stage::new();
    let clerk = stage.clerk().await;
    assert_eq!(stage.ask(&clerk, "connect 127.0.0.1:80").await, "no connection: PermissionDenied");
    stage.ask(&clerk, "connect example.org:80").await;
    let made = stage.host_calls(clerk.id(), "create-tcp-socket").await;
    assert_eq!(made[0]["outcome"], json!({ "denied": "wasi.sockets" }));
    assert_eq!(made[0]["result"], json!([{ "Err": "AccessDenied" }]));
    let resolved = stage.host_calls(clerk.id(), "resolve-addresses").await;
    assert_eq!(resolved[0]["outcome"], json!({ "denied": "wasi.sockets" }));
    assert_eq!(resolved[0]["params"][1], "example.org");
    stage.verify(clerk.id()).await;
}
