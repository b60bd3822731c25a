//! The files of `/dev` -> the devices that steps may compute on, and what a worker of one needs of the machine.
//!
//! The server never asks the driver, whose client it would become: it looks which files the driver made.

use types::{Device, Devices};

/// What a driver's library reads beside its own files: about this process, the machine, and other libraries.
pub(crate) const DRIVER_READS: [&str; 12] = [
    "/etc/ld.so.cache",
    "/lib",
    "/lib64",
    "/proc/cpuinfo",
    "/proc/devices",
    "/proc/driver/nvidia",
    "/proc/meminfo",
    "/proc/self",
    "/sys/devices/system",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/cuda",
];

/// The devices beside the processors: none in a build without any.
pub fn devices() -> Devices {
    let built = sandbox::CUDA;
    let found = if built { gpus(&names()) } else { Vec::new() };
    Devices { built, found }
}

/// The driver's own files, those of every GPU among them: which of them is asked for is the driver's business.
pub(crate) fn driver_files() -> Vec<String> {
    names().into_iter().filter(|name| is_the_drivers(name)).map(|name| format!("/dev/{name}")).collect()
}

/// What a worker's environment says to the libraries of a device; nothing of the server's own.
pub(crate) fn environment(device: Device) -> Vec<(&'static str, String)> {
    match device {
        Device::Cpu => Vec::new(),
        Device::Cuda(number) => vec![
            // It sees one GPU, which is its first; numbers are those of `/dev`.
            ("CUDA_VISIBLE_DEVICES", number.to_string()),
            ("CUDA_DEVICE_ORDER", "PCI_BUS_ID".to_owned()),
            // There is nowhere that it could keep any.
            ("CUDA_CACHE_DISABLE", "1".to_owned()),
            // Without it products of matrices differ from run to run.
            ("CUBLAS_WORKSPACE_CONFIG", ":4096:8".to_owned()),
        ],
    }
}

fn names() -> Vec<String> {
    let entries = std::fs::read_dir("/dev").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// CUDA numbers the GPUs that there are from 0, also where a container has the second one alone.
fn gpus(names: &[String]) -> Vec<Device> {
    let count = names.iter().filter(|name| number(name).is_some()).count();
    (0..count as u32).map(Device::Cuda).collect()
}

fn number(name: &str) -> Option<u32> {
    name.strip_prefix("nvidia")?.parse().ok()
}

fn is_the_drivers(name: &str) -> bool {
    matches!(name, "nvidiactl" | "nvidia-uvm" | "nvidia-uvm-tools") || number(name).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpus_are_files_with_a_number() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let machine = names(&["null", "nvidiactl", "nvidia1", "nvidia0", "nvidia-uvm", "nvidia-caps", "nvidiax"]);
        assert_eq!(gpus(&machine), [Device::Cuda(0), Device::Cuda(1)]);
        assert_eq!(gpus(&names(&["nvidiactl", "nvidia3"])), [Device::Cuda(0)]);
        assert_eq!(gpus(&names(&["null", "dri"])), []);
        let drivers: Vec<_> = machine.iter().filter(|name| is_the_drivers(name)).collect();
        assert_eq!(drivers, ["nvidiactl", "nvidia1", "nvidia0", "nvidia-uvm"]);
    }

    #[test]
    fn a_build_without_cuda_has_none() {
        assert_eq!(devices().built, cfg!(feature = "cuda"));
        assert!(devices().built || devices().found.is_empty());
        assert!(environment(Device::Cpu).is_empty());
        assert!(environment(Device::Cuda(3)).contains(&("CUDA_VISIBLE_DEVICES", "3".to_owned())));
    }
}
