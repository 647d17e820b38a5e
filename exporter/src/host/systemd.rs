//! systemd's units, timers and sockets, as its manager tells over D-Bus.
//!
//! The states of all units are one question for each page. What is asked unit
//! by unit is asked once a minute, so that the manager has little to do.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use exposition::{Kind, Writer};

use super::Machine;
use crate::dbus::{Bus, Call, Cursor};
use crate::files::{Failure, Files};
use crate::tallies::lock;

/// The manager's own socket, and that of the system's bus.
const USUAL: [(&str, bool); 2] = [
    ("run/systemd/private", false),
    ("run/dbus/system_bus_socket", true),
];
const MANAGER: &str = "org.freedesktop.systemd1";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
/// How often units are asked one by one.
const SELDOM: Duration = Duration::from_secs(60);
/// More units than this are not shown.
const MOST_UNITS: usize = 600;
/// Questions in one go.
const AT_ONCE: usize = 100;
/// Kinds of unit that come and go in numbers and fail seldom.
const LEFT_OUT: [&str; 5] = [".automount", ".device", ".mount", ".scope", ".slice"];
const STATES: [&str; 5] = ["active", "activating", "deactivating", "failed", "inactive"];
/// What is asked of a unit: the end of its name, interface, property, family, help.
const ASKED: [(&str, &str, &str, &str, &str); 6] = [
    (".service", "Service", "Type", "", ""),
    (
        ".service",
        "Service",
        "NRestarts",
        "node_systemd_service_restart_total",
        "Times systemd started the service anew by itself.",
    ),
    (
        ".timer",
        "Timer",
        "LastTriggerUSec",
        "node_systemd_timer_last_trigger_seconds",
        "When the timer fired last, in seconds since 1970.",
    ),
    (
        ".socket",
        "Socket",
        "NAccepted",
        "node_systemd_socket_accepted_connections_total",
        "Connections that the socket accepted.",
    ),
    (
        ".socket",
        "Socket",
        "NConnections",
        "node_systemd_socket_current_connections",
        "Connections that are open now.",
    ),
    (
        ".socket",
        "Socket",
        "NRefused",
        "node_systemd_socket_refused_connections_total",
        "Connections that the socket refused.",
    ),
];

/// What was asked unit by unit: by unit and property.
#[derive(Debug, Default)]
pub(super) struct Known {
    at: Option<Instant>,
    told: BTreeMap<(String, &'static str), String>,
    /// Properties of the manager itself.
    version: String,
    running: bool,
}

#[derive(Debug, Clone, PartialEq)]
struct Unit {
    name: String,
    active: String,
    shown: bool,
    path: String,
}

pub(super) fn read(
    machine: &Machine,
    files: &mut Files<'_>,
    page: &mut Writer,
) -> Result<(), Failure> {
    let mut bus = connect(machine, files)?;
    let failed = |err: io::Error| Failure::Unreadable("systemd".into(), err);
    let call = to_manager("ListUnits", "org.freedesktop.systemd1.Manager", &[]);
    let body = bus.ask(&call).map_err(failed)?;
    let body = body.ok_or(Failure::Malformed("what systemd tells of its units"))?;
    let units = units(&body).ok_or(Failure::Malformed("what systemd tells of its units"))?;
    let mut known = lock(&machine.systemd);
    if known.at.is_none_or(|at| at.elapsed() >= SELDOM) {
        known.told = details(&mut bus, &units).map_err(failed)?;
        let of_manager = |name| ["org.freedesktop.systemd1.Manager", name];
        let mut ask = |name| {
            let arguments = of_manager(name);
            let body = bus.ask(&to_manager("Get", PROPERTIES, &arguments));
            let body = body.map_err(failed)?.unwrap_or_default();
            Ok(Cursor::new(&body).variant().unwrap_or_default())
        };
        known.version = ask("Version")?;
        known.running = ask("SystemState")? == "running";
        known.at = Some(Instant::now());
    }
    encode(&units, &known, page);
    Ok(())
}

fn connect(machine: &Machine, files: &Files<'_>) -> Result<Bus, Failure> {
    let root = &files.roots.root;
    let named = machine.systemd_socket.as_deref();
    let mut last = Failure::Absent("systemd".into());
    let usual = USUAL.map(|(path, greet)| (root.join(path), greet));
    let tried: Vec<(&Path, bool)> = match named {
        Some(path) => {
            let is_bus = path.to_string_lossy().contains("bus");
            vec![(path, is_bus)]
        }
        None => usual
            .iter()
            .map(|(path, greet)| (&**path, *greet))
            .collect(),
    };
    for (path, greet) in tried {
        match Bus::connect(path, greet, machine.patience) {
            Ok(bus) => return Ok(bus),
            Err(err) if is_absent(&err) => {}
            Err(err) => last = Failure::Unreadable(path.display().to_string(), err),
        }
    }
    Err(last)
}

/// Nobody there, and a socket that is for root alone, are no faults.
fn is_absent(err: &io::Error) -> bool {
    matches!(
        err.kind(),
        io::ErrorKind::NotFound
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::PermissionDenied
    )
}

fn to_manager<'a>(member: &'a str, interface: &'a str, arguments: &'a [&'a str]) -> Call<'a> {
    Call {
        destination: MANAGER,
        path: "/org/freedesktop/systemd1",
        interface,
        member,
        arguments,
    }
}

/// Reads the answer: an array of structures with six texts, a path, a number, a
/// text and a path.
fn units(body: &[u8]) -> Option<Vec<Unit>> {
    let mut cursor = Cursor::new(body);
    let end = cursor.array()?;
    let mut units = Vec::new();
    while !cursor.is_at(end) {
        cursor.align(8)?;
        let name = cursor.text()?;
        let _description = cursor.text()?;
        let loaded = cursor.text()? == "loaded";
        let active = cursor.text()?;
        let _sub = cursor.text()?;
        let _following = cursor.text()?;
        let path = cursor.text()?;
        cursor.number()?;
        cursor.text()?;
        cursor.text()?;
        units.push(Unit {
            name: name.to_owned(),
            active: active.to_owned(),
            shown: loaded && !LEFT_OUT.iter().any(|end| name.ends_with(end)),
            path: path.to_owned(),
        });
    }
    units.sort_by(|one, other| one.name.cmp(&other.name));
    let mut shown = 0;
    for unit in &mut units {
        shown += usize::from(unit.shown);
        unit.shown &= shown <= MOST_UNITS;
    }
    Some(units)
}

fn details(bus: &mut Bus, units: &[Unit]) -> io::Result<BTreeMap<(String, &'static str), String>> {
    let mut asked = Vec::new();
    for unit in units.iter().filter(|unit| unit.shown) {
        for (end, interface, property, ..) in ASKED {
            if unit.name.ends_with(end) {
                asked.push((unit, format!("{MANAGER}.{interface}"), property));
            }
        }
    }
    let mut told = BTreeMap::new();
    for some in asked.chunks(AT_ONCE) {
        let arguments: Vec<[&str; 2]> = some
            .iter()
            .map(|(_, interface, property)| [interface.as_str(), *property])
            .collect();
        let calls: Vec<Call<'_>> = some
            .iter()
            .zip(&arguments)
            .map(|((unit, ..), arguments)| Call {
                destination: MANAGER,
                path: &unit.path,
                interface: PROPERTIES,
                member: "Get",
                arguments,
            })
            .collect();
        let answers = bus.ask_all(&calls)?;
        for ((unit, _, property), body) in some.iter().zip(answers) {
            // A unit may have gone meanwhile.
            if let Some(value) = body.and_then(|body| Cursor::new(&body).variant()) {
                told.insert((unit.name.clone(), *property), value);
            }
        }
    }
    Ok(told)
}

fn encode(units: &[Unit], known: &Known, page: &mut Writer) {
    page.family(
        "node_systemd_unit_state",
        "1 for the state that the unit is in, 0 for the others.",
        Kind::Gauge,
    );
    for unit in units.iter().filter(|unit| unit.shown) {
        let kind = known.told.get(&(unit.name.clone(), "Type"));
        let kind = kind.map_or("", String::as_str);
        for state in STATES {
            let labels = [
                ("name", unit.name.as_str()),
                ("state", state),
                ("type", kind),
            ];
            page.sample(&labels, f64::from(u8::from(unit.active == state)));
        }
    }
    page.family("node_systemd_units", "Units by state.", Kind::Gauge);
    for state in STATES {
        let count = units.iter().filter(|unit| unit.active == state).count();
        page.sample(&[("state", state)], count as f64);
    }
    for (_, _, property, family, help) in ASKED.iter().filter(|asked| !asked.3.is_empty()) {
        let kind = match family.ends_with("restart_total")
            || family.ends_with("accepted_connections_total")
        {
            true => Kind::Counter,
            false => Kind::Gauge,
        };
        page.family(family, help, kind);
        for ((name, told), value) in &known.told {
            let Ok(value) = value.parse::<f64>() else {
                continue;
            };
            if told == property {
                let micros = property.ends_with("USec");
                page.sample(&[("name", name)], if micros { value / 1e6 } else { value });
            }
        }
    }
    page.single(
        "node_systemd_system_running",
        "Whether the system has come up and no unit has failed.",
        Kind::Gauge,
        f64::from(u8::from(known.running)),
    );
    let digits: String = known
        .version
        .chars()
        .skip_while(|letter| !letter.is_ascii_digit())
        .take_while(|letter| letter.is_ascii_digit() || *letter == '.')
        .collect();
    if let Ok(number) = digits.trim_end_matches('.').parse() {
        page.family("node_systemd_version", "systemd's version.", Kind::Gauge)
            .sample(&[("version", &known.version)], number);
    }
}

/// Reads the bytes as an answer of systemd, for those who throw any at it.
pub(super) fn any(bytes: &[u8]) {
    let _ = units(bytes);
    let _ = Cursor::new(bytes).variant();
    crate::dbus::any(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_answer_is_no_list_of_units() {
        assert_eq!(units(&[]), None);
        assert_eq!(units(&[0, 0, 0, 0, 0, 0, 0, 0]), Some(Vec::new()));
        assert_eq!(units(&[200, 0, 0, 0, 0, 0, 0, 0, 1]), None);
        assert_eq!(units(&[4, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0]), None);
    }
}
