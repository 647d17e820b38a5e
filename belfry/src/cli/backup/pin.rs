//! `belfry backup pin`: a backup stays, whatever retention says, for a while.

use backup::Setup;
use backup::id::Id;
use backup::marks::{Kind, Mark};
use serde_json::json;

use super::copies;
use crate::config::Config;
use crate::exit::{self, Exit};
use crate::out;

pub(super) async fn run(
    setup: &Setup,
    config: &Config,
    job: &str,
    (from, days): (&str, u32),
    json: bool,
) -> Exit {
    let pinned = async {
        let job = setup.config.job(job).ok_or("no such job")?;
        let found = copies::find(setup, job).await?;
        let from = copies::from(from, config)?;
        let (_, copy) = found.pick(&from, None, true)?;
        let wanted = copy.manifest.id.clone();
        let id = Id::parse(&wanted).ok_or("it has no id")?;
        let until_ms = super::now_ms() + i64::from(days) * 86_400_000;
        let mark = Mark {
            kind: Kind::Pinned,
            at_ms: until_ms,
        };
        let mut places = Vec::new();
        for backup in found
            .backups
            .iter()
            .filter(|backup| backup.manifest.id == wanted)
        {
            for target in &found.targets {
                if backup.copies.contains_key(target.name()) {
                    let set = mark.set(target, &backup.manifest.shelf(), &id).await;
                    set.map_err(|err| format!("{}: {err}", target.name()))?;
                    places.push(target.name().to_owned());
                }
            }
        }
        Ok::<_, String>((wanted, until_ms, places))
    };
    match pinned.await {
        Ok((id, until_ms, places)) => {
            let until = jiff::Timestamp::from_millisecond(until_ms).unwrap_or_default();
            if json {
                out::line(json!({ "id": id, "targets": places, "until": until.to_string() }));
                return exit::OK;
            }
            let until = until.to_zoned_datetime(config.zone());
            out::line(format_args!(
                "pinned  {id} in {} until {}",
                places.join(","),
                until.strftime("%Y-%m-%d %H:%M %Z")
            ));
            exit::OK
        }
        Err(err) => super::unable(&err),
    }
}
