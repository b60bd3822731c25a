//! Deploying as a person does it: what is shown, what is asked, what runs, and what answers, alone and beside a server.

mod harness;

use harness::Project;
use serde_json::json;

const ROWS: &str = r#"
[steps.rows]
plugin = "csv"
params = { path = "data/rows.csv" }
grants = { files = ["data/rows.csv"] }
"#;

/// A project of one small pipeline, whose plugin is compiled already.
fn small() -> Project {
    let project = Project::new();
    project.write("stepwell.toml", "name = \"shop\"\n");
    project.write("data/rows.csv", "a,b\n1,x\n2,y\n");
    project.write(harness::TRAIN, ROWS);
    project
}

/// The same life, whoever owns the data folder; versions count on from `before`.
fn life(project: &Project, before: u32) {
    let says = |arguments: &[&str], code: i32, fragments: &[&str]| {
        project.stepwell(arguments).expect(&arguments.join(" "), code, fragments);
    };
    let version = |number: u32| format!("deployed version {} of project `shop`", before + number);
    project.write(harness::TRAIN, ROWS.replace("data/rows.csv", "data/others.csv"));
    project.write("data/others.csv", "a,b\n1,x\n2,y\n3,z\n");
    says(&["deploy", "--yes"], 0, &[&version(1)]);
    says(&["deploy"], 0, &["nothing to do", "is the same"]);
    project.write(harness::TRAIN, ROWS);
    let wider = ["may newly reach files = [\"data/rows.csv\"]", "may no longer reach", "parameter `path`"];
    says(&["deploy"], 2, &[&wider[..], &["steps would reach more", "--yes"]].concat());
    says(&["deploy", "--yes"], 0, &[&wider[..], &[&version(2)]].concat());
    // What reaches no more goes on by itself where nobody can be asked.
    project.write(harness::TRAIN, format!("{ROWS}limits = {{ wall = \"30 s\" }}\n[schedule]\ncron = \"@yearly\"\n"));
    says(&["deploy"], 0, &["schedule of pipeline `train`: `@yearly` in UTC", "limits", &version(3)]);
    says(&["schedule", "list"], 0, &["shop/train", "@yearly"]);
    says(&["deploy", "rollback"], 0, &[&format!("which is version {} again", before + 2), &version(4)]);
    says(&["schedule", "list"], 0, &["no deployed pipeline has a schedule"]);
    says(&["deploy", "rollback", "999"], 5, &["project `shop` has no version 999"]);
    says(&["deploy", "history"], 0, &[&format!("version {} again", before + 2)]);
    says(&["deploy", "show"], 0, &[&format!("version {} of project `shop`, the current one", before + 4), "train"]);
    // The folder is broken, and what is deployed is not.
    project.write(harness::TRAIN, "nonsense");
    says(&["run", "train"], 2, &["1 problem in the project"]);
    says(&["deploy"], 2, &["1 problem in the project"]);
    says(&["deploy", "history"], 0, &[&format!("version {} again", before + 2)]);
    says(&["deploy", "show"], 0, &["the current one"]);
    says(&["endpoint", "list"], 0, &[]);
    project.write(harness::TRAIN, ROWS.replace("data/rows.csv", "data/nowhere.csv"));
    says(&["run", "--deployed", "train"], 0, &["succeeded"]);
    says(&["run", "--deployed", "other"], 5, &["has no pipeline `other`"]);
}

#[test]
fn a_project_is_deployed_shown_and_brought_back_alone_and_beside_a_server() {
    let project = small();
    project.stepwell(&["deploy", "show"]).expect("nothing yet", 5, &["project `shop` was never deployed"]);
    project.stepwell(&["deploy", "list"]).expect("nothing yet", 0, &["nothing is deployed yet"]);
    life(&project, 0);
    let _server = project.serve();
    life(&project, 4);
}

#[test]
fn programs_read_what_differs_and_what_became_of_it() {
    let project = small();
    let said = project.stepwell(&["deploy", "--yes", "--json"]).json();
    assert_eq!((&said["deployed"]["version"], &said["prepared"]["over"]), (&json!(1), &json!(null)));
    let hows: Vec<_> = said["prepared"]["differs"].as_array().unwrap().iter().map(|it| &it["how"]).collect();
    assert_eq!(hows, [&json!("added"), &json!("added"), &json!("widened")]);
    let same = project.stepwell(&["deploy", "--json"]).json();
    assert_eq!((&same["deployed"], &same["prepared"]["is_same"]), (&json!(null), &json!(true)));
    let history = project.stepwell(&["deploy", "history", "--json"]).json();
    assert_eq!((history.as_array().unwrap().len(), &history[0]["version"]), (1, &json!(1)));
    let shown = project.stepwell(&["deploy", "show", "--json"]).json();
    assert_eq!((&shown["is_current"], &shown["pipelines"][0]["pipeline"]), (&json!(true), &json!("train")));
}

#[test]
fn each_tenant_has_its_own_versions() {
    let project = small();
    project.stepwell(&["tenant", "create", "acme"]).expect("acme", 0, &[]);
    project.stepwell(&["--tenant", "acme", "deploy", "--yes"]).expect("deploy", 0, &["for tenant `acme`"]);
    project.stepwell(&["deploy", "list"]).expect("another's", 0, &["nothing is deployed yet"]);
    project.stepwell(&["tenant", "suspend", "acme"]).expect("suspend", 0, &[]);
    project.stepwell(&["--tenant", "acme", "deploy", "--yes"]).expect("suspended", 2, &["is suspended"]);
    project.stepwell(&["--tenant", "nobody", "deploy"]).expect("nobody", 5, &["there is no tenant `nobody`"]);
}

/// A pipeline, or what it says of `stepwell.toml`, is none of an endpoint's business.
#[test]
fn what_is_served_needs_no_pipeline_to_be_sound() {
    let project = Project::new();
    project.run();
    let (pipeline, examine) = (
        project.read(harness::TRAIN),
        "\n[steps.seen]\nbuiltin = \"examine\"\nendpoint = \"tumour\"\ninputs = { model = \"model.model\", rows = \"parts.test\" }\n",
    );
    for (broken, says) in [("nonsense".to_owned(), "train.toml:1:"), (format!("{pipeline}{examine}"), "which has none")]
    {
        project.write(harness::TRAIN, broken);
        let served = |server: &harness::serving::Serving| {
            assert_eq!(server.get("/v2/models/tumour/ready").status, 200, "{says}");
            for command in [&["endpoint", "list"][..], &["endpoint", "show", "tumour"]] {
                project.stepwell(command).expect(says, 0, &["champion"]);
            }
        };
        let server = project.serve();
        served(&server);
        let said = server.said();
        assert!(said.contains(says) && said.contains("what is served needs `stepwell.toml` alone"), "{said}");
        project.stepwell(&["endpoint", "abort", "tumour"]).expect(says, 2, &["has no canary"]);
    }
}

#[test]
fn what_is_deployed_is_served_whatever_became_of_the_folder() {
    let project = Project::new();
    project.run();
    let sound = project.read("stepwell.toml");
    let broken = sound.replace("[endpoints.tumour]", "[endpoints.tumour");
    project.write("stepwell.toml", &broken);
    let at = ["stepwell.toml:", "1 problem in the project; nothing is served"];
    project.stepwell(&["serve", "--listen", "127.0.0.1:0"]).expect("nothing else to serve", 2, &at);
    project.stepwell(&["endpoint", "list"]).expect("nothing else to list", 2, &at[..1]);
    project.write("stepwell.toml", &sound);
    project.stepwell(&["deploy", "--yes"]).expect("deploy", 0, &["deployed version 1"]);
    project.write("stepwell.toml", &broken);
    let server = project.serve();
    assert_eq!(server.get("/v2/models/tumour/ready").status, 200, "{}", server.said());
    assert!(
        server.said().contains("stepwell.toml:") && server.said().contains("but what is deployed"),
        "{}",
        server.said()
    );
    project.stepwell(&["endpoint", "show", "tumour"]).expect("beside it", 0, &["champion"]);
    drop(server);
    project.stepwell(&["endpoint", "list"]).expect("without it", 0, &["champion"]);
    std::fs::remove_file(project.path("stepwell.toml")).unwrap();
    let server = project.serve();
    assert_eq!(server.get("/v2/models/tumour/ready").status, 200, "{}", server.said());
}

#[test]
fn a_deployed_projects_endpoints_are_those_of_its_version() {
    let project = Project::new();
    project.run();
    project.stepwell(&["deploy", "--yes"]).expect("deploy", 0, &["endpoint `tumour`"]);
    project.edit("stepwell.toml", "[endpoints.tumour]", "[endpoints.renamed]");
    let server = project.serve();
    assert_eq!(server.get("/v2/models/tumour/ready").status, 200, "as it was deployed");
    assert_eq!(server.get("/v2/models/renamed/ready").status, 404, "not as the folder is");
    project.stepwell(&["deploy", "--yes"]).expect("deploy", 0, &["endpoint `renamed`", "deployed version 2"]);
    assert_eq!(server.get("/v2/models/tumour/ready").status, 404);
    assert_eq!(server.get("/v2/models/renamed/ready").status, 200, "while it serves");
    project.stepwell(&["deploy", "rollback", "--yes"]).expect("rollback", 0, &["which is version 1 again"]);
    assert_eq!(server.get("/v2/models/tumour/ready").status, 200);
}
