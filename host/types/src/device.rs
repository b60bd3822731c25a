//! Where a step's tensors are computed: what a pipeline asks for, what a policy allows, what a machine has.

use crate::{Problem, nearest};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A device. Written `cpu` or `cuda:0`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Device {
    /// The processors. What every step has.
    #[default]
    Cpu,
    /// A GPU of NVIDIA's, by its number on the machine.
    Cuda(u32),
}

/// What a step asks for. Written as a device, or `auto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum DeviceChoice {
    /// A GPU, if there is one that the tenant's policy allows; else the processors.
    Auto,
    /// This one and no other.
    Device(Device),
}

/// What a policy allows. Written `cuda:0`, or `cuda` for any of them. Nobody has to be allowed the processors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeviceGrant {
    /// None: any.
    number: Option<u32>,
}

/// The devices of a machine beside its processors, as this build of ours can use them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Devices {
    /// Whether this build has the code for any.
    pub built: bool,
    pub found: Vec<Device>,
}

impl Device {
    /// Reads `cpu` or `cuda:0`. The error is a lowercase fragment.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.strip_prefix("cuda:").and_then(number) {
            Some(number) => Ok(Self::Cuda(number)),
            None if text == "cpu" => Ok(Self::Cpu),
            None => Err(wrong(text, "`cpu` or `cuda:0`")),
        }
    }

    /// Devices of one class are taken to give the same bits; those of two are not.
    pub fn class(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda(_) => "cuda",
        }
    }
}

impl DeviceChoice {
    /// Reads `auto` or a device. The error is a lowercase fragment.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            _ => Device::parse(text).map(Self::Device).map_err(|_| wrong(text, "`auto`, `cpu` or `cuda:0`")),
        }
    }

    /// What whoever wrote this, which cannot be read, may have meant: `GPU0` is `cuda:0`.
    pub fn meant(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        let (word, digits) = text.split_at(text.trim_end_matches(|c: char| c.is_ascii_digit()).len());
        let gpu = matches!(word.trim_end_matches([':', ' ', '-', '_']), "cuda" | "gpu" | "nvidia");
        match gpu {
            true if digits.is_empty() => Some(Self::Device(Device::Cuda(0))),
            true => digits.parse().ok().map(|number| Self::Device(Device::Cuda(number))),
            false => Self::parse(nearest(&text, ["auto", "cpu", "cuda:0"])?).ok(),
        }
    }
}

impl Default for DeviceChoice {
    fn default() -> Self {
        Self::Device(Device::Cpu)
    }
}

impl DeviceGrant {
    /// Any GPU.
    pub const ANY: Self = Self { number: None };

    /// Reads `cuda` or `cuda:0`. The error is a lowercase fragment.
    pub fn parse(text: &str) -> Result<Self, String> {
        match Device::parse(text) {
            Ok(Device::Cuda(number)) => Ok(Self { number: Some(number) }),
            _ if text == "cuda" => Ok(Self::ANY),
            _ => Err(wrong(text, "`cuda:0`, or `cuda` for any")),
        }
    }

    /// Whether the device may be used under this grant.
    pub fn admits(self, device: Device) -> bool {
        match device {
            Device::Cpu => true,
            Device::Cuda(number) => self.number.is_none_or(|granted| granted == number),
        }
    }

    /// Whether everything that the other admits is admitted.
    pub(crate) fn includes(self, other: Self) -> bool {
        self.number.is_none() || self == other
    }
}

impl Devices {
    /// Why there is none beside the processors, if there is none.
    pub fn lack(&self) -> Option<&'static str> {
        match (self.built, self.found.is_empty()) {
            (false, _) => Some("this `stepwell` was built without CUDA"),
            (true, true) => Some("this machine has no GPU"),
            (true, false) => None,
        }
    }

    /// An error that says what to do, unless a step can compute there.
    pub fn expect(&self, device: Device) -> Result<(), Problem> {
        if device == Device::Cpu || self.found.contains(&device) {
            return Ok(());
        }
        let has = match self.lack() {
            Some(lack) => lack.to_owned(),
            None => {
                let found: Vec<_> = self.found.iter().map(|found| format!("`{found}`")).collect();
                format!("this machine has {}", found.join(", "))
            }
        };
        let otherwise = "say `device = \"auto\"` for a GPU where there is one and the processors elsewhere";
        Err(Problem::new(format!("there is no `{device}`: {has}")).hinted(match self.built {
            true => otherwise.to_owned(),
            false => format!("build it with `--features cuda` (docs/devices.md), or {otherwise}"),
        }))
    }
}

/// Why a tenant's step may not compute there, and who can change it.
pub fn device_denied(device: Device) -> Problem {
    let command = crate::policy_command(&format!("devices = [\"{device}\"]"));
    Problem::new(format!("the tenant's policy does not allow the device `{device}`"))
        .hinted(format!("ask whoever runs this installation: {command}"))
}

/// A number as we write it: so that a device has one name.
fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number: &u32| number.to_string() == text)
}

fn wrong(text: &str, expected: &str) -> String {
    let shown: String = text.chars().filter(|c| !c.is_control()).take(80).collect();
    format!("`{shown}` is no device, expected {expected}")
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Device(device) => device.fmt(f),
        }
    }
}

impl fmt::Display for DeviceGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            None => f.write_str("cuda"),
            Some(number) => Device::Cuda(number).fmt(f),
        }
    }
}

/// Each is a text on disk, the same as in a manifest.
macro_rules! as_text {
    ($($type:ident)*) => {$(
        impl TryFrom<String> for $type {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                Self::parse(&text)
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.to_string()
            }
        }
    )*};
}
as_text!(Device DeviceChoice DeviceGrant);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_has_one_name() {
        for text in ["auto", "cpu", "cuda:0", "cuda:12"] {
            assert_eq!(DeviceChoice::parse(text).unwrap().to_string(), text);
        }
        for wrong in ["", "gpu", "cuda", "cuda:", "cuda:-1", "cuda:+1", "cuda:01", "cuda:4294967296", "CPU"] {
            assert!(DeviceChoice::parse(wrong).is_err(), "{wrong}");
        }
        assert!(Device::parse("auto").is_err());
        for (text, meant) in [
            ("gpu", "cuda:0"),
            ("cuda", "cuda:0"),
            ("CUDA:0", "cuda:0"),
            ("cuda0", "cuda:0"),
            ("GPU 1", "cuda:1"),
            ("cuda:01", "cuda:1"),
            ("cdua:0", "cuda:0"),
            ("CPU", "cpu"),
            ("atuo", "auto"),
        ] {
            assert_eq!(DeviceChoice::meant(text).map(|device| device.to_string()).as_deref(), Some(meant), "{text}");
        }
        for beyond in ["", "0", "metal", "cuda:4294967296"] {
            assert_eq!(DeviceChoice::meant(beyond), None, "{beyond}");
        }
        assert_eq!(serde_json::to_value(Device::Cuda(1)).unwrap(), "cuda:1");
        assert_eq!(serde_json::from_str::<Device>("\"cpu\"").unwrap(), Device::default());
    }

    #[test]
    fn a_grant_is_of_one_gpu_or_of_any() {
        let [any, first] = ["cuda", "cuda:0"].map(|text| DeviceGrant::parse(text).unwrap());
        assert!(any.admits(Device::Cuda(7)) && first.admits(Device::Cuda(0)) && first.admits(Device::Cpu));
        assert!(!first.admits(Device::Cuda(1)));
        assert!(any.includes(first) && first.includes(first) && !first.includes(any));
        assert!(DeviceGrant::parse("cpu").is_err());
    }

    #[test]
    fn what_is_not_there_is_said_with_what_is() {
        let says = |built, found: &[u32], device| {
            let found = found.iter().copied().map(Device::Cuda).collect();
            Devices { built, found }.expect(device).map_err(|problem| problem.message)
        };
        assert_eq!(says(false, &[], Device::Cpu), Ok(()));
        assert_eq!(says(true, &[0, 1], Device::Cuda(1)), Ok(()));
        let no = |why: &str| Err(format!("there is no `cuda:2`: {why}"));
        assert_eq!(says(false, &[], Device::Cuda(2)), no("this `stepwell` was built without CUDA"));
        assert_eq!(says(true, &[], Device::Cuda(2)), no("this machine has no GPU"));
        assert_eq!(says(true, &[0, 1], Device::Cuda(2)), no("this machine has `cuda:0`, `cuda:1`"));
    }
}
