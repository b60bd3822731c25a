//! A run -> one HTML file that stands alone: what was decided and why, the measures as a picture, the steps and their cost.
//! Written when somebody first looks at a run that has ended: most runs of a schedule nobody looks at.

use crate::document::escaped;
use crate::reads::{RunDetail, StepDetail};
use crate::{Server, folder};
use std::fmt::Write;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;
use types::{Artifact, Measure, RunHead, RunId, TenantId, Verdict};

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem;color:#1c2024}\
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}table{border-collapse:collapse;width:100%}\
td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #e3e6e8}td.n{text-align:right;\
font-variant-numeric:tabular-nums}.good{color:#18794e}.bad{color:#cd2b31}.box{padding:.8rem 1rem;border-radius:6px;\
background:#f4f6f7}svg text{font:13px system-ui,sans-serif;fill:#1c2024}";

impl Server {
    /// Where the page of a run lies, once somebody has looked at it.
    pub fn report_file(&self, tenant: &TenantId, run: RunId) -> PathBuf {
        folder::tenant(&self.options.data, tenant).join("reports").join(format!("run-{run}.html"))
    }

    /// Where the page lies, which is made if it is not there; none while the run goes on, or where it cannot be written.
    pub(crate) fn report(&self, tenant: &TenantId, run: &RunDetail) -> Option<PathBuf> {
        let (file, finished_us) = (self.report_file(tenant, run.line.run), run.line.finished_us?);
        if is_there(&file, finished_us) {
            return Some(file);
        }
        let page = html(run);
        // Another tenant of the same name may have a run of the same number.
        let is_its = |head: &RunHead| (head.plan, head.started_us) == (run.plan, run.line.started_us);
        let is_known =
            || self.store.run(tenant, run.line.run).is_ok_and(|found| found.is_some_and(|it| is_its(&it.head)));
        let written = self.store.while_nobody_is_deleted(|| is_known() && write(&file, &page).is_ok());
        // `gc` records before it removes: one of both sees the other.
        if written && !is_known() {
            let _ = std::fs::remove_file(&file);
            return None;
        }
        written.then_some(file)
    }
}

/// Whether it is whole, and of the run's end: earlier versions wrote one whenever a run stopped, and a power cut leaves an empty one.
fn is_there(file: &Path, finished_us: i64) -> bool {
    let found = file.symlink_metadata().ok().filter(|found| found.is_file() && found.len() > 0);
    let written = found.and_then(|found| found.modified().ok()?.duration_since(UNIX_EPOCH).ok());
    written.is_some_and(|written| i128::from(finished_us) <= written.as_micros() as i128)
}

/// Renamed into place: whoever reads it sees all of it, and what stood under its name is not written through.
fn write(file: &Path, page: &str) -> io::Result<()> {
    static DRAFTS: AtomicU64 = AtomicU64::new(0);
    let reports = file.parent().unwrap_or(Path::new("."));
    // Not those above it: a tenant that was deleted meanwhile does not come back.
    std::fs::create_dir(reports)
        .or_else(|error| if error.kind() == io::ErrorKind::AlreadyExists { Ok(()) } else { Err(error) })?;
    let draft = file.with_extension(format!("draft-{}", DRAFTS.fetch_add(1, Ordering::Relaxed)));
    std::fs::remove_file(&draft).or_else(folder::absent)?;
    let written = File::create_new(&draft).and_then(|mut made| io::Write::write_all(&mut made, page.as_bytes()));
    written.and_then(|()| std::fs::rename(&draft, file)).inspect_err(|_| drop(std::fs::remove_file(&draft)))
}

/// The page.
fn html(run: &RunDetail) -> String {
    let line = &run.line;
    let title = format!("Run {} of {}/{}", line.run, line.project, line.pipeline);
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title><style>{STYLE}</style>\n\
         <h1>{title}</h1>\n<p class=\"box\"><strong>{}</strong>{}</p>\n",
        line.state,
        verdict(run).map(|verdict| format!(": the gate {}", escaped(&verdict.sentence))).unwrap_or_default()
    );
    if let Some(because) = run.steps.iter().find(|step| step.state == "failed") {
        let why = escaped(because.because.as_deref().unwrap_or_default());
        page += &format!("<h2>Why it failed</h2><p class=\"bad\">{}: {why}</p>\n", because.step);
    }
    for step in &run.steps {
        for artifact in step.outputs.values() {
            match artifact {
                Artifact::Verdict(verdict) => {
                    let _ = writeln!(page, "<h2>Verdict of {}</h2>\n{}", step.step, models::picture(verdict));
                }
                Artifact::Measures { measures } => page += &measured(step, measures, verdict(run)),
                Artifact::Findings { findings } => {
                    let failed = findings.iter().filter(|finding| !finding.passed).count();
                    let _ =
                        writeln!(page, "<p>{}: {} checks of the data, {failed} failed.</p>", step.step, findings.len());
                }
                Artifact::Delivered { location, .. } => {
                    let _ = writeln!(page, "<p>{}: delivered to {}.</p>", step.step, escaped(location));
                }
                _ => {}
            }
        }
    }
    page + &steps(&run.steps) + "</html>\n"
}

/// What the gate said, if there is one.
fn verdict(run: &RunDetail) -> Option<&Verdict> {
    let gates = run.steps.iter().filter(|step| step.work == "gate");
    gates.flat_map(|step| step.outputs.values()).find_map(|artifact| match artifact {
        Artifact::Verdict(verdict) => Some(verdict),
        _ => None,
    })
}

/// Measures between 0 and 1 as points with their intervals, the gate's bounds as ticks; the rest as numbers.
fn measured(step: &StepDetail, measures: &[Measure], verdict: Option<&Verdict>) -> String {
    let shown: Vec<&Measure> = measures.iter().filter(|found| (0.0..=1.0).contains(&found.value)).take(60).collect();
    let (left, width, row) = (190.0, 460.0, 26.0);
    let x = |value: f64| left + width * value.clamp(0.0, 1.0);
    let height = row * shown.len() as f64 + 30.0;
    let mut svg = format!("<svg viewBox=\"0 0 900 {height}\" role=\"img\" aria-label=\"measures with intervals\">");
    for tick in 0..=4 {
        let at = f64::from(tick) / 4.0;
        let _ = write!(
            svg,
            "<line x1=\"{0}\" x2=\"{0}\" y1=\"4\" y2=\"{1}\" stroke=\"#e3e6e8\"/><text x=\"{0}\" y=\"{2}\" text-anchor=\"middle\">{at}</text>",
            x(at),
            height - 22.0,
            height - 6.0
        );
    }
    for (i, found) in shown.iter().enumerate() {
        let y = row * i as f64 + 18.0;
        let name = match &found.slice {
            Some(slice) => format!("{} ({slice})", found.name),
            None => found.name.clone(),
        };
        let interval = found.interval.map(|interval| format!(" [{:.4}, {:.4}]", interval.low, interval.high));
        let _ = write!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text><text x=\"665\" y=\"{1}\">{:.4}{}</text>",
            left - 12.0,
            y + 4.0,
            escaped(&name),
            found.value,
            interval.unwrap_or_default()
        );
        if let Some(interval) = found.interval {
            let (low, high) = (x(interval.low), x(interval.high));
            let _ = write!(
                svg,
                "<line x1=\"{low}\" x2=\"{high}\" y1=\"{y}\" y2=\"{y}\" stroke=\"#7fa7d6\" stroke-width=\"6\" stroke-linecap=\"round\"/>"
            );
        }
        svg += &bounds(found, verdict, y, &x);
        let _ = write!(svg, "<circle cx=\"{}\" cy=\"{y}\" r=\"4.5\" fill=\"#0b5cad\"/>", x(found.value));
    }
    format!(
        "<h2>Measures of {}</h2>\n<p>Point: value. Band: confidence interval. Red tick: what the gate asks.</p>\n{svg}</svg>\n",
        step.step
    )
}

fn bounds(found: &Measure, verdict: Option<&Verdict>, y: f64, x: &dyn Fn(f64) -> f64) -> String {
    let lines = verdict.into_iter().flat_map(|verdict| &verdict.lines);
    let asked = lines.filter(|line| line.requirement.measure == found.name && line.requirement.slice == found.slice);
    let tick = |line: &types::VerdictLine| {
        let (types::Bound::AtLeast(bound) | types::Bound::AtMost(bound)) = line.requirement.bound else { return None };
        let at = x(bound);
        Some(format!(
            "<line x1=\"{at}\" x2=\"{at}\" y1=\"{}\" y2=\"{}\" stroke=\"#cd2b31\" stroke-width=\"2\"/>",
            y - 9.0,
            y + 9.0
        ))
    };
    asked.filter_map(tick).collect()
}

fn steps(steps: &[StepDetail]) -> String {
    let mut table =
        "<h2>Steps</h2>\n<table><tr><th>Step<th>Does<th>Plugin<th>State<th>Gave<th>Time<th>Used / limit</tr>\n"
            .to_owned();
    for step in steps {
        let gave: Vec<_> = step
            .outputs
            .iter()
            .map(|(port, artifact)| match artifact {
                Artifact::Table(found) => format!("{port} {} rows", found.rows),
                other if other.kind() == port.to_string() => port.to_string(),
                other => format!("{port} {}", other.kind()),
            })
            .collect();
        let receipt = step.receipt.clone().unwrap_or_default();
        let used: Vec<_> =
            receipt.used().map(|(kind, share)| format!("{} {}", kind.key(), share.shown(kind))).collect();
        let class = if step.state == "failed" { "bad" } else { "good" };
        let _ = writeln!(
            table,
            "<tr><td>{}<td>{}<td>{}<td class=\"{class}\">{}<td>{}<td class=\"n\">{:.1} ms<td>{}</tr>",
            step.step,
            step.work,
            step.plugin.as_deref().unwrap_or("built in"),
            step.state,
            gave.join(", "),
            receipt.wall_us as f64 / 1000.0,
            used.join("<br>")
        );
    }
    table + "</table>\n"
}

#[cfg(test)]
mod pages {
    use super::*;

    #[test]
    fn a_page_of_before_the_end_and_an_empty_one_are_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("reports").join("run-1.html");
        assert!(!is_there(&file, 0));
        write(&file, "page").unwrap();
        assert!(is_there(&file, 1) && !is_there(&file, i64::MAX));
        assert_eq!(std::fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "no draft is left");
        write(&file, "").unwrap();
        assert!(!is_there(&file, 1));
    }
}
