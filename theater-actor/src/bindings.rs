//! What wit-bindgen makes of the WIT files: one world with all imports and, so that a component
//! exports only what its author asked for, one world for each exported interface.
//!
//! Not for authors of actors: they use the modules of the crate, which re-export what is useful.
#![allow(
    unsafe_code,
    missing_docs,
    unreachable_pub,
    clippy::all,
    reason = "generated code: the interfaces are documented in the WIT files"
)]

/// Everything an actor may import. What it does not call is left out of its component.
pub mod imports {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "
            package theater:sdk;
            world imports {
                import theater:simple/runtime@0.1.0;
                import theater:simple/message-server-host@0.1.0;
                import theater:simple/supervisor@0.1.0;
                import theater:simple/supervision@0.1.0;
            }
        ",
        additional_derives: [PartialEq, Eq, serde::Serialize, serde::Deserialize],
        generate_all,
    });
}

pub mod actor {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "
            package theater:sdk;
            world actor { export theater:simple/actor@0.1.0; }
        ",
        pub_export_macro: true,
    });
}

pub mod resumed {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "
            package theater:sdk;
            world resumed { export theater:simple/resumed@0.1.0; }
        ",
        pub_export_macro: true,
    });
}

pub mod migrate {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "
            package theater:sdk;
            world migrate { export theater:simple/migrate@0.1.0; }
        ",
        pub_export_macro: true,
    });
}

pub mod messages {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "
            package theater:sdk;
            world messages { export theater:simple/message-server-client@0.1.0; }
        ",
        pub_export_macro: true,
    });
}

pub mod children {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "
            package theater:sdk;
            world children { export theater:simple/supervisor-handlers@0.1.0; }
        ",
        with: {
            "theater:simple/types@0.1.0": crate::bindings::imports::theater::simple::types,
        },
        pub_export_macro: true,
    });
}

pub mod policy {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "
            package theater:sdk;
            world policy { export theater:simple/supervision-policy@0.1.0; }
        ",
        with: {
            "theater:simple/types@0.1.0": crate::bindings::imports::theater::simple::types,
            "theater:simple/supervision@0.1.0": crate::bindings::imports::theater::simple::supervision,
        },
        additional_derives: [PartialEq, Eq, serde::Serialize, serde::Deserialize],
        pub_export_macro: true,
    });
}

pub mod events {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "
            package theater:sdk;
            world events { export theater:simple/supervision-events@0.1.0; }
        ",
        with: {
            "theater:simple/types@0.1.0": crate::bindings::imports::theater::simple::types,
        },
        pub_export_macro: true,
    });
}
