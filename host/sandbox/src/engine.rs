//! Component bytes -> native code -> a plugin that can be called. One engine configuration for everything.

use crate::bindings::EveryRole;
use crate::state::{State, of_device};
use std::path::Path;
use types::{CONTRACT, Device, Fault, Interface, Role, of_contract};
use wasmtime::component::{Component, HasSelf, InstancePre, Linker, types::ComponentItem};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// The host's stack for a guest's calls. The same for every step, because it is an engine's, and a worker has one.
pub const STACK_BYTES_MAX: usize = 512 << 10;

/// An engine; one a process.
pub struct Sandbox {
    engine: Engine,
    linker: Linker<State>,
    device: tensors::Device,
}

/// A component as native code, and what its type shows.
pub struct Compiled {
    pub code: Vec<u8>,
    pub roles: Vec<Role>,
    pub imports: Vec<String>,
}

/// A component, loaded and linked, not yet instantiated.
pub struct Plugin {
    pub(crate) engine: Engine,
    pub(crate) pre: InstancePre<State>,
    /// Where its tensors are.
    pub(crate) device: tensors::Device,
}

impl Sandbox {
    /// One that computes on the processors.
    pub fn new() -> Result<Self, Fault> {
        Self::on(Device::Cpu)
    }

    /// With the one configuration: no fuel, no epochs (a worker is killed at its deadline), no threads, pooled memories.
    pub fn on(device: Device) -> Result<Self, Fault> {
        let device = tensors::Device::open(device).map_err(|error| of_device(&error))?;
        let mut config = Config::new();
        config.wasm_component_model(true).concurrency_support(false).wasm_relaxed_simd(false);
        config.max_wasm_stack(STACK_BYTES_MAX);
        // Sized for one attempt at a time of the largest guests we know: a Python component has 38 core modules and a
        // table of 5,676 elements; a served path has an instance a step.
        let mut pool = PoolingAllocationConfig::default();
        pool.total_component_instances(32)
            .total_core_instances(512)
            .total_memories(32)
            .total_tables(512)
            .table_elements(20_000)
            .max_memories_per_module(1)
            .max_tables_per_module(4)
            .max_component_instance_size(4 << 20)
            .max_core_instance_size(1 << 20)
            .max_memory_size(4 << 30);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        let engine = Engine::new(&config).map_err(|error| Fault::host(format!("cannot start wasmtime: {error:#}")))?;
        let linker = linker(&engine)?;
        Ok(Self { engine, linker, device })
    }

    /// Names the engine's version and settings: native code of another name cannot be loaded.
    pub fn fingerprint(&self) -> String {
        use std::hash::{Hash, Hasher};
        let mut hasher = std::collections::hash_map::DefaultHasher::new();
        self.engine.precompile_compatibility_hash().hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }

    /// Compiles a stranger's component. Takes as long as it takes: the caller sets the deadline.
    pub fn compile(&self, bytes: &[u8]) -> Result<Compiled, Fault> {
        let component = Component::from_binary(&self.engine, bytes)
            .map_err(|error| Fault::guest(format!("not a component that can run here: {}", unfit(bytes, &error))))?;
        let (roles, imports) = inspect(&self.engine, &component)?;
        let code = component.serialize().map_err(Fault::host)?;
        Ok(Compiled { code, roles, imports })
    }

    /// Loads native code that [`Sandbox::compile`] made, in this installation.
    #[expect(
        unsafe_code,
        reason = "native code is trusted: only we write it, into the user's cache, which no project ships"
    )]
    pub fn load(&self, file: &Path) -> Result<Plugin, Fault> {
        // SAFETY: the file was written by `compile` through the server, under a name that holds its component's digest
        // and this engine's fingerprint, in a folder of the user's private cache: never in the data folder, which a
        // stranger may have filled. The server alone writes there: a worker, should one be taken over natively, is kept
        // from it by Landlock, where the kernel has that.
        let component = unsafe { Component::deserialize_file(&self.engine, file) }
            .map_err(|error| Fault::host(format!("cannot load compiled plugin: {error:#}")))?;
        let unfit = |error| Fault::guest(format!("does not fit the contract stepwell:step@{CONTRACT}: {error:#}"));
        let pre = self.linker.instantiate_pre(&component).map_err(unfit)?;
        Ok(Plugin { engine: self.engine.clone(), pre, device: self.device.clone() })
    }
}

/// Why bytes are no component, on one line: a parser that stumbles over the first of them says it in twelve.
fn unfit(bytes: &[u8], error: &wasmtime::Error) -> String {
    match bytes {
        [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => "it is a core module, of which no component was made".to_owned(),
        [0, b'a', b's', b'm', ..] => format!("{error:#}").lines().map(str::trim).collect::<Vec<_>>().join(" "),
        _ => "it is not WebAssembly".to_owned(),
    }
}

/// A linker that answers the imports: every one has its function in `host/`.
fn linker(engine: &Engine) -> Result<Linker<State>, Fault> {
    let mut linker = Linker::new(engine);
    EveryRole::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state).map_err(Fault::host)?;
    crate::host::tables::read_lent(&mut linker).map_err(Fault::host)?;
    Ok(linker)
}

/// Roles from exports, requests from imports. What was built for another contract is refused by its version, and any other
/// import that is not ours by its name.
fn inspect(engine: &Engine, component: &Component) -> Result<(Vec<Role>, Vec<String>), Fault> {
    let shape = component.component_type();
    let imports: Vec<String> = shape.imports(engine).map(|(name, _)| name.to_owned()).collect();
    let exports: Vec<String> = shape
        .exports(engine)
        .filter(|(_, item)| matches!(item.ty, ComponentItem::ComponentInstance(_)))
        .map(|(name, _)| name.to_owned())
        .collect();
    spoken(&exports, &imports)?;
    if let Some(foreign) = imports.iter().find(|name| Interface::of(name).is_none()) {
        let message = format!("imports `{foreign}`, which this host does not offer; it offers stepwell:*@{CONTRACT}");
        return Err(Fault::guest(message).hinted("rebuild the plugin with the SDK of this version"));
    }
    let exported = |interface: &str| {
        let names =
            |name: &String| of_contract(name).and_then(|(name, _)| name.strip_prefix("step/")) == Some(interface);
        exports.iter().any(names)
    };
    let roles: Vec<Role> = Role::ALL.into_iter().filter(|role| exported(role.interface())).collect();
    if !exported("description") || roles.is_empty() {
        let found = if exports.is_empty() { "nothing".to_owned() } else { exports.join(", ") };
        let message = format!("exports {found}; expected `stepwell:step/description@{CONTRACT}` and a role");
        return Err(Fault::guest(message).hinted(format!("build it for a world of `stepwell:step@{CONTRACT}`")));
    }
    Ok((roles, imports))
}

/// That every interface of the contract that a component names is of the version that this host speaks. Exports come first:
/// they say what the plugin is, and its imports may be of packages that stayed as they were.
fn spoken(exports: &[String], imports: &[String]) -> Result<(), Fault> {
    let versions = exports.iter().chain(imports).filter_map(|name| of_contract(name));
    let Some((name, version)) = versions.into_iter().find(|(_, version)| *version != CONTRACT) else { return Ok(()) };
    let package = name.split('/').next().unwrap_or(name);
    let message = format!("is built for stepwell:{package}@{version}; this host speaks {CONTRACT}");
    Err(Fault::guest(message).hinted("rebuild the plugin with the SDK of this host, or take the host it was built for"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::SAYINGS_MAX;
    use proptest::prelude::*;
    use types::{FaultKind, Quantity};

    #[test]
    fn the_page_of_limits_has_what_is_the_same_for_every_step() {
        let page = include_str!("../../../docs/limits.md");
        let bytes = |what: &str, most: usize| format!("| {what} | {} |", Quantity::Bytes(most as u64));
        for line in [
            bytes("one read of a column", data::CHUNK_BYTES_MAX),
            bytes(
                "what one call brings to the host, such as a checkpoint: its lists and texts together",
                crate::instance::CALL_BYTES_MAX,
            ),
            bytes("stack of the guest on the host", super::STACK_BYTES_MAX),
            format!("| metrics and words of progress | {SAYINGS_MAX} |"),
        ] {
            assert!(page.contains(&line), "docs/limits.md has no line `{line}`");
        }
    }

    #[test]
    fn another_contract_is_refused_by_its_version() {
        let ours = || vec!["stepwell:step/fitted@0.1.0".to_owned()];
        let other = |name: &str| vec![name.to_owned()];
        for (exports, imports, expected) in [
            (ours(), other("stepwell:data/tables@0.1.0"), None),
            (ours(), other("wasi:io/streams@0.2.0"), None),
            (other("stepwell:step/fitted@0.2.0"), other("stepwell:data/tables@0.3.0"), Some("stepwell:step@0.2.0")),
            (ours(), other("stepwell:data/tables@0.1.1"), Some("stepwell:data@0.1.1")),
        ] {
            let refused = spoken(&exports, &imports).err().map(|fault| fault.message);
            let expected = expected.map(|built| format!("is built for {built}; this host speaks 0.1.0"));
            assert_eq!(refused, expected, "{exports:?} {imports:?}");
        }
    }

    /// A component with what components are made of: a core module with a function, an instance of it, an import, a type.
    const COMPONENT: [&[u8]; 5] = [
        b"\0asm\x0d\0\x01\0",
        // A module: a type [] -> [i32], a function of it, its export `f`, its body `i32.const 7`.
        b"\x01\x22\0asm\x01\0\0\0\x01\x05\x01\x60\0\x01\x7f\x03\x02\x01\0\x07\x05\x01\x01f\0\0\x0a\x06\x01\x04\0\x41\x07\x0b",
        b"\x02\x04\x01\0\0\0",
        b"\x07\x03\x01\x42\0",
        b"\x0a\x0d\x01\0\x08wasi:a/b\x05\0",
    ];

    #[test]
    fn the_component_that_is_damaged_is_one() {
        let fault = Sandbox::new().unwrap().compile(&COMPONENT.concat()).err().unwrap();
        assert!(fault.message.starts_with("imports `wasi:a/b`"), "{fault}");
    }

    #[test]
    fn what_is_no_component_is_told_on_one_line() {
        let sandbox = Sandbox::new().unwrap();
        for (bytes, expected) in [
            (&b"# A README\n"[..], "it is not WebAssembly"),
            (b"", "it is not WebAssembly"),
            (b"\0asm\x01\0\0\0", "it is a core module"),
            (b"\0asm\x0d\0\x01\0\xff\xff", "not a component that can run here: "),
        ] {
            let fault = sandbox.compile(bytes).err().unwrap();
            assert!(fault.message.contains(expected) && !fault.message.contains('\n'), "{fault}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

        /// A case is many damages: an engine costs more than what it refuses.
        #[test]
        fn any_damage_is_blamed_on_the_component(
            damages in proptest::collection::vec((proptest::collection::vec((any::<usize>(), any::<u8>()), 0..4), any::<usize>()), 64),
        ) {
            let sandbox = Sandbox::new().unwrap();
            for (changes, cut) in damages {
                let mut bytes = COMPONENT.concat();
                let length = bytes.len();
                changes.iter().for_each(|(place, byte)| bytes[place % length] = *byte);
                bytes.truncate(length - if cut % 2 == 0 { 0 } else { cut % length });
                // None of them exports what a plugin has to.
                let fault = sandbox.compile(&bytes).err().unwrap();
                prop_assert_eq!(fault.kind, FaultKind::Guest, "{}: {:?}", fault.message, bytes);
            }
        }
    }
}
