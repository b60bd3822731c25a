//! Where steps compute, and the limit of what they take of a GPU, which bounds nothing where no step may compute on one.

use crate::Pipeline;
use crate::reader::Reader;
use toml::de::DeTable;
use types::{Device, DeviceChoice, LimitKind, Place, Problem};

/// The key `device` of a step. One that cannot be read is a problem, and stands for a GPU: nothing else is held against that.
pub(crate) fn read(reader: &mut Reader, table: &DeTable<'_>) -> DeviceChoice {
    let Some(value) = table.get("device") else { return DeviceChoice::default() };
    let Some(text) = reader.text("device", value) else { return DeviceChoice::Auto };
    DeviceChoice::parse(text).unwrap_or_else(|message| {
        match DeviceChoice::meant(text) {
            Some(near @ DeviceChoice::Device(Device::Cuda(_))) => {
                let hint = format!("did you mean `{near}`? `auto` is a GPU where there is one");
                reader.wrong_hinted(value.span(), message, hint);
            }
            Some(near) => reader.wrong_hinted(value.span(), message, format!("did you mean `{near}`?")),
            None => reader.wrong(value.span(), message),
        }
        DeviceChoice::Auto
    })
}

/// Where a table says what steps may take of a GPU.
pub(crate) fn limit(reader: &Reader, table: &DeTable<'_>) -> Option<Place> {
    let (key, _) = table.get("limits")?.get_ref().as_table()?.get_key_value(LimitKind::DeviceMemory.key())?;
    Some(reader.file.place(key.span()))
}

/// That limit, as a problem, where no step of the pipelines may compute on a GPU. `whose` are they?
pub(crate) fn idle<'p>(
    whose: &str,
    limit: Option<Place>,
    pipelines: impl IntoIterator<Item = &'p Pipeline>,
) -> Option<Problem> {
    let mut steps = pipelines.into_iter().flat_map(|pipeline| &pipeline.steps);
    if steps.any(|step| step.device != DeviceChoice::default()) {
        return None;
    }
    let key = LimitKind::DeviceMemory.key();
    let message = format!("`limits.{key}` is the memory of a GPU, and no step of {whose} may compute on one");
    let hint = "say `device = \"auto\"` at a step that trains with tensors, or remove the limit";
    Some(Problem::new(message).at(Some(limit?)).hinted(hint))
}
