//! Where arrays lie, and how much of its memory they take.
//!
//! The processors' memory is the worker's, and is counted there. Another device's is counted here: an array is charged before
//! it is made and until its last view is gone, also where only a gradient still needs it.

use crate::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Whether this build has the code for GPUs of NVIDIA's.
pub const CUDA: bool = cfg!(feature = "cuda");

/// The processors, or a device beside them. Clones are the same device.
#[derive(Clone, Default)]
pub struct Device(Option<Arc<Beside>>);

struct Beside {
    name: types::Device,
    native: candle_core::Device,
    limit: AtomicU64,
    used: AtomicU64,
    /// The most that was used since [`Device::begin`].
    peak: AtomicU64,
}

/// Memory of a device. Dropped, it is given back.
pub(crate) struct Taken {
    device: Device,
    bytes: u64,
}

impl Device {
    /// Gets hold of a device; the processors are always there.
    pub fn open(name: types::Device) -> Result<Self, Error> {
        match name {
            types::Device::Cpu => Ok(Self::default()),
            // Of the GPUs that a worker's environment lets it see, there is one.
            types::Device::Cuda(_) => match candle_core::Device::new_cuda(0) {
                Ok(native) => Ok(Self::beside(name, native)),
                Err(error) => Err(match Error::from(error) {
                    full @ Error::DeviceFull { .. } => full,
                    error => Error::Device { name, reason: error.to_string() },
                }),
            },
        }
    }

    /// What stands in for a GPU where there is none, in tests: its arrays are apart from the processors' and counted, and it
    /// computes by the calls that a GPU computes by, which candle answers on the processors.
    pub fn stand_in() -> Self {
        Self::beside(types::Device::Cuda(0), candle_core::Device::Cpu)
    }

    fn beside(name: types::Device, native: candle_core::Device) -> Self {
        let (limit, used, peak) = (AtomicU64::new(u64::MAX), AtomicU64::new(0), AtomicU64::new(0));
        Self(Some(Arc::new(Beside { name, native, limit, used, peak })))
    }

    /// From now on at most so many bytes are taken; the most that are is counted anew.
    pub fn begin(&self, limit: u64) {
        if let Some(beside) = &self.0 {
            beside.limit.store(limit, Ordering::Relaxed);
            beside.peak.store(beside.used.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    /// Bytes that arrays take now; of the processors none is counted.
    pub fn used_bytes(&self) -> u64 {
        self.0.as_ref().map_or(0, |beside| beside.used.load(Ordering::Relaxed))
    }

    /// The most bytes that they took at once.
    pub fn peak_bytes(&self) -> u64 {
        self.0.as_ref().map_or(0, |beside| beside.peak.load(Ordering::Relaxed))
    }

    pub(crate) fn name(&self) -> types::Device {
        self.0.as_ref().map_or(types::Device::Cpu, |beside| beside.name)
    }

    pub(crate) fn native(&self) -> &candle_core::Device {
        self.0.as_ref().map_or(&candle_core::Device::Cpu, |beside| &beside.native)
    }

    /// Takes memory, if so much may still be taken; none of the processors.
    pub(crate) fn take(&self, bytes: u64) -> Result<Option<Arc<Taken>>, Error> {
        let Some(beside) = &self.0 else { return Ok(None) };
        let used = beside.used.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        let memory = Taken { device: self.clone(), bytes };
        let limit = beside.limit.load(Ordering::Relaxed);
        if used > limit {
            return Err(Error::DeviceMemory { used, limit });
        }
        beside.peak.fetch_max(used, Ordering::Relaxed);
        Ok(Some(Arc::new(memory)))
    }
}

impl Taken {
    pub(crate) fn device(&self) -> &Device {
        &self.device
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(beside) = &self.device.0 {
            beside.used.fetch_sub(self.bytes, Ordering::Relaxed);
        }
    }
}

impl PartialEq for Device {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Device({})", self.name())
    }
}
