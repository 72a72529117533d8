//! The house as data: which crate may depend on which, and the few exceptions. To allow an edge,
//! change this table and say why in the commit.

/// The package that users depend on; its folder is `crates/flare`.
pub(super) const FACADE: &str = "flare";

/// A crate, named by its folder under `crates/`, and those of ours it may depend on.
pub(super) struct Room {
    pub(super) name: &'static str,
    pub(super) may_use: May,
}

/// What a crate may use of ours.
pub(super) enum May {
    /// These and no others.
    These(&'static [&'static str]),
    /// Everything: dev only programs.
    All,
}

/// What any member under `plugins/` may use, until the SDK exists and takes the place of core.
pub(super) const PLUGINS_MAY_USE: &[&str] = &["core", "data", "kernels", "plugin-sdk"];

/// The plugin written against the ABI itself, so that it can lie where the SDK cannot.
pub(super) const MISBEHAVING: &str = "misbehaving";
/// What [`MISBEHAVING`] may use.
pub(super) const MISBEHAVING_MAY_USE: &[&str] = &["plugin-abi"];

/// Edges of the facade that must be optional: each front door, and what only one of them needs.
pub(super) const FACADE_OPTIONAL: &[&str] =
    &["client", "connect", "server", "testkit", "transport-grpc", "transport-local"];

/// Members that may hold unsafe code; each block has its reason above it.
pub(super) const MAY_BE_UNSAFE: &[&str] = &[
    "crates/executor",
    "crates/kernels",
    "crates/plugin-abi",
    "crates/python",
    "crates/store",
    "plugins/misbehaving",
];

/// Names that say nothing of what is inside.
pub(super) const VAGUE: &[&str] = &["common", "helper", "helpers", "manager", "util", "utils"];

/// The table.
pub(super) const ROOMS: &[Room] = &[
    room("kernels", &[]),
    room("core", &["kernels"]),
    room("store", &["core"]),
    room("proto", &["core"]),
    room("wire", &["core", "proto"]),
    room("plugin-abi", &["core"]),
    room("plugin-macros", &[]),
    room("plugin-sdk", &["core", "plugin-abi", "plugin-macros"]),
    room("executor", &["core", "store", "plugin-abi", "proto"]),
    room("data", &["core"]),
    room("transport-local", &["core", "executor"]),
    room("transport-grpc", &["core", "proto", "wire", "store"]),
    room("client", &["core", "proto", "wire", "transport-grpc", "executor", "store"]),
    room("server", &["core", "proto", "wire", "transport-grpc", "executor", "store", "connect"]),
    room("connect", &["core", "proto", "wire"]),
    room(
        "flare",
        &[
            "kernels",
            "core",
            "store",
            "proto",
            "wire",
            "plugin-abi",
            "plugin-macros",
            "plugin-sdk",
            "executor",
            "data",
            "transport-local",
            "transport-grpc",
            "client",
            "server",
            "connect",
            "plugins/*",
            "testkit",
        ],
    ),
    room("cli", &["flare"]),
    room("python", &["flare"]),
    room("testkit", &["core", "proto"]),
    Room { name: "bench", may_use: May::All },
];

const fn room(name: &'static str, may_use: &'static [&'static str]) -> Room {
    Room { name, may_use: May::These(may_use) }
}
