//! How the program is set up and doing.

use serde_json::json;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::failure::Failure;
use crate::routes::Api;
use crate::times::rfc3339;

/// `/status/config`: the configuration, secrets replaced.
pub(crate) fn config(api: &Api, _: &Ask) -> Result<Answer, Failure> {
    Answer::json(&json!({ "yaml": (api.source.config)() }))
}

/// `/status/flags`: the command line.
pub(crate) fn flags(api: &Api, _: &Ask) -> Result<Answer, Failure> {
    Answer::json(&api.source.flags)
}

/// `/status/buildinfo`: what this is.
pub(crate) fn build(api: &Api, _: &Ask) -> Result<Answer, Failure> {
    Answer::json(&api.source.build)
}

/// `/status/walreplay`: it is over before anything is served.
pub(crate) fn replay(_: &Api, _: &Ask) -> Result<Answer, Failure> {
    Answer::json(&json!({ "min": 0, "max": 0, "current": 0 }))
}

/// `/status/runtimeinfo`: how it is doing. What only Go has is said in its terms.
pub(crate) fn runtime(api: &Api, _: &Ask) -> Result<Answer, Failure> {
    let runtime = (api.source.runtime)();
    let tasks = tokio::runtime::Handle::current().metrics();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Answer::json(&json!({
        "startTime": rfc3339(Some(runtime.start_ms)),
        "CWD": runtime.working_directory,
        "hostname": runtime.hostname,
        "serverTime": rfc3339(Some((api.source.now_ms)())),
        "reloadConfigSuccess": runtime.reloaded,
        "lastConfigTime": rfc3339(Some(runtime.config_ms)),
        "corruptionCount": runtime.corruptions,
        "goroutineCount": tasks.num_alive_tasks(),
        "GOMAXPROCS": cores,
        "GOMEMLIMIT": i64::MAX,
        "GOGC": "",
        "GODEBUG": "",
        "storageRetention": runtime.retention,
    }))
}
