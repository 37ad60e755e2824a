//! Texts that people and their tools write.

use crate::Corpora;

const BODY: &str = r#"{"model":"m","messages":[{"role":"system","content":"b"},{"role":"user","content":[{"type":"text","text":"a"}]}],"temperature":0.5,"top_p":1,"top_k":3,"min_p":0.1,"frequency_penalty":1,"presence_penalty":1,"seed":-7,"repetition_penalty":1.1,"logit_bias":{"1":-1},"max_tokens":5,"stop":["x"],"logprobs":true,"top_logprobs":2,"stream":true,"stream_options":{"include_usage":true},"n":1,"user":"u","metadata":{"a":"b"},"store":false,"response_format":{"type":"text"}}"#;

const SETTINGS: &str = "# mine\n[lend]\nenabled = true # now\nidle_minutes = 10\non_battery = false\nmetered = false\nhours = [\"Mon-Fri 18:00-08:00\", \"Sat-Sun\"]\nmax_celsius = 80\nother_cores = 0.5\ncalls = true\nfilms = true\nfull_screen = true\nremote = false\napps = [\"blender\"]\nthreads = 4\nmemory_percent = 40\ndisk_gib = 20\nwatts_per_thread = 5.5\n";

pub(crate) fn write(corpora: &Corpora) {
    corpora.add("api_request", "whole", BODY);
    corpora.add("api_request", "short", r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"stop":"x"}"#);
    corpora.add("api_request", "refused", r#"{"model":"m","messages":[{"role":"tool","content":null}],"tools":[]}"#);
    corpora.add(
        "api_request",
        "completion",
        r#"{"model":"m","messages":[{"role":"assistant","content":"a"}],"max_completion_tokens":9,"seed":1,"n":2}"#,
    );
    corpora.add("policy", "whole", SETTINGS);
    let rules = "[lend]\nidle_minutes = 30\nhours = [\"never\"]\napps = []\nmemory_percent = 10\ncalls = false\n";
    corpora.add("policy", "both", format!("{SETTINGS}\0{rules}"));
    corpora.add("policy", "inline", "lend = { enabled = false, hours = [\"22:00-06:30\"] }\0lend.enabled = true\n");
    corpora.add("policy", "slip", "[lend]\nidle-minutes = 5\n\0[lnd]\n");
    for tier in ["[sandbox]\ntier = \"full\"\n", "[sandbox]\ntier = \"strict\"\n"] {
        corpora.add("policy", &format!("tier-{}", tier.len()), format!("{SETTINGS}{tier}\0{tier}"));
    }
}
