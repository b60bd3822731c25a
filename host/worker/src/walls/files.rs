//! Landlock: what a worker opens, and whom it reaches.

use super::{Places, Wall, WallState, Walls};
use crate::devices::{self, DRIVER_READS};
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, LandlockStatus, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, Scope,
};
use std::path::Path;
use types::Device;

/// Each wall, the version of Landlock that has all of it, and the kernel that brought that.
const WALLS: [(&str, ABI, &str); 3] =
    [("files", ABI::V3, "Linux 6.2"), ("network", ABI::V4, "Linux 6.7"), ("scope", ABI::V6, "Linux 6.12")];

/// Confines this thread and those that it starts.
pub(super) fn confine(places: Places<'_>) -> Walls {
    match restrict(places) {
        Ok(status) => WALLS.iter().map(|(name, needs, since)| Wall::new(name, state(status, *needs, since))).collect(),
        Err(error) => missing(error.to_string()),
    }
}

/// None of the three stands.
pub(super) fn missing(reason: String) -> Walls {
    WALLS.iter().map(|(name, ..)| Wall::missing(name, &reason)).collect()
}

/// Handles everything that this kernel can deny, and allows what is listed.
fn restrict(places: Places<'_>) -> Result<LandlockStatus, Box<dyn std::error::Error>> {
    let read = BitFlags::from(AccessFs::ReadFile);
    let write = read | AccessFs::WriteFile | AccessFs::Truncate | AccessFs::MakeReg | AccessFs::RemoveFile;
    let mut ruleset = Ruleset::default()
        .handle_access(AccessFs::from_all(ABI::V9))?
        .handle_access(AccessNet::from_all(ABI::V9))?
        .scope(Scope::from_all(ABI::V9))?
        .create()?;
    let driver = read | AccessFs::WriteFile | AccessFs::IoctlDev;
    for (place, access) in [(places.blobs, read), (places.compiled, read), (places.scratch, write)] {
        ruleset = ruleset.add_rule(PathBeneath::new(PathFd::new(place)?, access))?;
    }
    if places.device != Device::Cpu {
        let nodes = devices::driver_files().into_iter().map(|file| (file, driver));
        let reads = DRIVER_READS.map(|place| (place.to_owned(), read | AccessFs::ReadDir));
        // What a machine does not have its driver does not need.
        for (place, access) in nodes.chain(reads).filter(|(place, _)| Path::new(place).exists()) {
            let access = if Path::new(&place).is_dir() { access } else { access & !AccessFs::ReadDir };
            ruleset = ruleset.add_rule(PathBeneath::new(PathFd::new(place)?, access))?;
        }
    }
    Ok(ruleset.restrict_self()?.landlock)
}

fn state(status: LandlockStatus, needs: ABI, since: &str) -> WallState {
    let reason = match status {
        LandlockStatus::Available { effective_abi, .. } if effective_abi >= needs => return WallState::Stands,
        LandlockStatus::Available { effective_abi, .. } => {
            format!("Landlock is of version {}, expected {} ({since})", effective_abi as i32, needs as i32)
        }
        LandlockStatus::NotEnabled => "Landlock is switched off at boot (`lsm=`)".to_owned(),
        LandlockStatus::NotImplemented => "the kernel has no Landlock".to_owned(),
    };
    WallState::Missing { reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_kernel_lacks_what_came_later() {
        let available = |effective_abi| LandlockStatus::Available { effective_abi, kernel_abi: None };
        for (status, expected) in [
            (available(ABI::V9), [true, true, true]),
            (available(ABI::V6), [true, true, true]),
            (available(ABI::V5), [true, true, false]),
            (available(ABI::V3), [true, false, false]),
            (available(ABI::V2), [false, false, false]),
            (LandlockStatus::NotEnabled, [false, false, false]),
            (LandlockStatus::NotImplemented, [false, false, false]),
        ] {
            let stands = WALLS.map(|(_, needs, since)| state(status, needs, since) == WallState::Stands);
            assert_eq!(stands, expected, "{status:?}");
        }
    }
}
