//! Where steps compute: what is asked in vain, and what `auto` becomes.

use crate::fake;
use types::{Device, DeviceGrant, Devices, Grants, Policy};

fn steps(device: &str) -> String {
    format!(
        r#"
[steps.rows]
plugin = "csv"
params = {{ columns = "a:float64 y:float64" }}
[steps.model]
plugin = "network"
inputs = {{ train = "rows.table" }}
label = "y"
{device}
[steps.predicted]
builtin = "predict"
inputs = {{ rows = "rows.table", model = "model.model" }}
"#
    )
}

/// The devices of the steps, on a machine with these GPUs, for a tenant that may use those.
fn placed(device: &str, devices: &Devices, allowed: &[&str]) -> Result<Vec<Device>, Vec<String>> {
    let (steps, grants) = (steps(device), allowed.iter().map(|text| DeviceGrant::parse(text).unwrap()).collect());
    let policy = Policy { grants: Grants { devices: grants, ..Grants::default() }, ..Policy::default() };
    let mut plan = fake::build(&steps).unwrap();
    plan::place(&mut plan, &fake::project(&steps), &policy, devices)
        .map_err(|problems| problems.iter().map(fake::line).collect::<Vec<_>>())?;
    Ok(plan.steps.iter().map(|step| step.device).collect())
}

fn machine(gpus: u32) -> Devices {
    Devices { built: true, found: (0..gpus).map(Device::Cuda).collect() }
}

#[test]
fn auto_is_a_gpu_where_there_is_one_that_the_tenant_may_use() {
    let model = |device| Ok(vec![Device::Cpu, device, Device::Cpu]);
    let auto = "device = \"auto\"";
    assert_eq!(placed(auto, &Devices::default(), &["cuda"]), model(Device::Cpu));
    assert_eq!(placed(auto, &machine(0), &["cuda"]), model(Device::Cpu));
    assert_eq!(placed(auto, &machine(2), &[]), model(Device::Cpu));
    assert_eq!(placed(auto, &machine(2), &["cuda"]), model(Device::Cuda(0)));
    assert_eq!(placed(auto, &machine(2), &["cuda:1"]), model(Device::Cuda(1)));
    assert_eq!(placed("", &machine(2), &["cuda"]), model(Device::Cpu), "nobody asked for it");
    assert_eq!(placed("device = \"cpu\"", &machine(2), &["cuda"]), model(Device::Cpu));
    assert_eq!(placed("device = \"cuda:1\"", &machine(2), &["cuda:1"]), model(Device::Cuda(1)));
}

#[test]
fn an_auto_that_is_no_gpu_is_said_with_its_reason() {
    let said = |device: &str, devices: &Devices, allowed: &[&str]| {
        let grants = allowed.iter().map(|text| DeviceGrant::parse(text).unwrap()).collect();
        let policy = Policy { grants: Grants { devices: grants, ..Grants::default() }, ..Policy::default() };
        let steps = steps(device);
        let (mut plan, project) = (fake::build(&steps).unwrap(), fake::project(&steps));
        plan::place(&mut plan, &project, &policy, devices).unwrap();
        plan::on_processors(&plan, &project, devices).join("; ")
    };
    let (auto, is) = ("device = \"auto\"", "step `model`: `device = \"auto\"` is the processors:");
    assert_eq!(said(auto, &Devices::default(), &["cuda"]), format!("{is} this `stepwell` was built without CUDA"));
    assert_eq!(said(auto, &machine(0), &["cuda"]), format!("{is} this machine has no GPU"));
    assert_eq!(said(auto, &machine(1), &[]), format!("{is} the tenant's policy allows none of its GPUs"));
    assert_eq!((said(auto, &machine(1), &["cuda"]), said("", &machine(1), &[])), (String::new(), String::new()));
}

#[test]
fn what_is_asked_for_by_name_is_there_or_refused() {
    let refused = |devices: &Devices, allowed| placed("device = \"cuda:0\"", devices, allowed).unwrap_err().join("\n");
    let otherwise = "say `device = \"auto\"` for a GPU where there is one and the processors elsewhere";
    assert_eq!(
        refused(&Devices::default(), &["cuda"]),
        format!(
            "9:10: step `model`: there is no `cuda:0`: this `stepwell` was built without CUDA; build it with \
             `--features cuda` (docs/devices.md), or {otherwise}"
        )
    );
    assert_eq!(
        refused(&machine(0), &["cuda"]),
        format!("9:10: step `model`: there is no `cuda:0`: this machine has no GPU; {otherwise}")
    );
    assert_eq!(
        refused(&machine(1), &["cuda:1"]),
        "9:10: step `model`: the tenant's policy does not allow the device `cuda:0`; ask whoever runs this installation: \
         stepwell tenant policy NAME --allow 'devices = [\"cuda:0\"]'"
    );
    let plan = fake::build(&steps("device = \"cuda:0\"")).unwrap();
    assert_eq!(plan.steps[1].device, Device::Cuda(0), "it is not lost where nobody looks");
}

/// What is wrong with a step of this plugin and these keys, in the pipeline of a table.
fn wrong(plugin: &str, keys: &str) -> String {
    let learner = matches!(plugin, "network" | "logistic" | "gbdt");
    let wired = match learner {
        true => "inputs = { train = \"rows.table\" }\nlabel = \"y\"",
        false if plugin == "standardize" => "inputs = { table = \"rows.table\" }\nfit = \"rows.table\"",
        false => "inputs = { table = \"rows.table\" }",
    };
    fake::problems(&format!(
        "[steps.rows]\nplugin = \"csv\"\nparams = {{ columns = \"a:float64 y:float64\" }}\n[steps.it]\nplugin = \"{plugin}\"\n{wired}\n{keys}\n"
    ))
}

#[test]
fn a_device_does_something_or_is_refused() {
    let limit = "limits = { device_memory = \"1 GiB\" }";
    let auto = "device = \"auto\"";
    assert_eq!(wrong("network", &format!("{auto}\n{limit}")), "no problem");
    // Either hint is true by itself: what to say instead is no other problem.
    assert_eq!(
        wrong("network", limit),
        "8:12: step `it`: `limits.device_memory` is the memory of a GPU: it computes on the processors\n    hint: say \
         `device = \"auto\"`, or remove the limit\n"
    );
    for (plugin, line, why) in [
        ("logistic", 8, "plugin `logistic` computes no tensors"),
        ("gbdt", 8, "plugin `gbdt` grows trees, which the processors do"),
        (
            "standardize",
            8,
            "plugin `standardize` is a fitted transformer, whose answers have the same bits here and behind an endpoint",
        ),
        ("split", 7, "plugin `split` computes no tensors"),
    ] {
        let device = format!("{line}:10: step `it` cannot have the device `auto`: {why}\n    hint: remove the key\n");
        assert_eq!(wrong(plugin, auto), device);
        let limited = |line: usize| {
            let message = format!("step `it`: `limits.device_memory` is the memory of a GPU: {why}");
            format!("{line}:12: {message}\n    hint: remove the limit\n")
        };
        assert_eq!(wrong(plugin, limit), limited(line));
        assert_eq!(wrong(plugin, &format!("{auto}\n{limit}")), device + &limited(line + 1));
        assert_eq!(wrong(plugin, "device = \"cpu\""), "no problem");
    }
}

#[test]
fn what_the_host_does_itself_takes_nothing_of_a_gpu() {
    let limited = steps("device = \"auto\"") + "limits = { device_memory = \"1 GiB\" }\n";
    assert_eq!(
        fake::problems(&limited),
        "13:12: step `predicted`: `limits.device_memory` is the memory of a GPU: a built-in `predict` computes on the \
         processors\n    hint: remove the limit\n"
    );
}

#[test]
fn a_device_that_cannot_be_hides_nothing_of_later_steps() {
    let steps = steps("device = \"auto\"").replace("\"network\"", "\"logistic\"");
    let sink = "[steps.out]\nplugin = \"warehouse\"\ninputs = { table = \"predicted.tabel\" }\n";
    let problems = fake::problems(&format!("{steps}{sink}"));
    assert!(problems.contains("cannot have the device `auto`"), "{problems}");
    assert!(problems.contains("did you mean `table`?"), "{problems}");
}
