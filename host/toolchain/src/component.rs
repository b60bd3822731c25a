//! A core module -> a component.

use types::Fault;
use wit_component::ComponentEncoder;

/// Wraps a core module, in which its compiler left the component's type. `adapter` is the name of an import namespace and
/// the module that answers it, for compilers that insist on WASI.
pub(crate) fn componentize(module: &[u8], adapter: Option<(&str, &[u8])>) -> Result<Vec<u8>, Fault> {
    let encode = || {
        let mut encoder = ComponentEncoder::default();
        encoder.module(module)?.validate(true);
        if let Some((name, module)) = adapter {
            encoder.adapter(name, module)?;
        }
        encoder.encode()
    };
    encode().map_err(|error| Fault::invalid(format!("the compiled module makes no component: {error:#}")))
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_no_module_is_refused() {
        for bytes in [&b""[..], b"\0asm", b"\0asm\x01\0\0\0\xff"] {
            assert!(super::componentize(bytes, None).is_err(), "{bytes:?}");
        }
    }
}
