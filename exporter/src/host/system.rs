//! What this system is: kernel, distribution, firmware, clock.

use exposition::{Kind, Writer};

use super::Machine;
use crate::files::{Failure, Files, names};

pub(super) fn uname(_: &Machine, _: &mut Files<'_>, page: &mut Writer) -> Result<(), Failure> {
    let said = rustix::system::uname();
    let text = |field: &std::ffi::CStr| field.to_string_lossy().into_owned();
    page.family("node_uname_info", "What uname says.", Kind::Gauge)
        .sample(
            &[
                ("domainname", &text(said.domainname())),
                ("machine", &text(said.machine())),
                ("nodename", &text(said.nodename())),
                ("release", &text(said.release())),
                ("sysname", &text(said.sysname())),
                ("version", &text(said.version())),
            ],
            1.0,
        );
    Ok(())
}

pub(super) fn os(_: &Machine, files: &mut Files<'_>, page: &mut Writer) -> Result<(), Failure> {
    let root = files.roots.root.clone();
    let text = match files.text(&root.join("etc/os-release")) {
        Ok(text) => text.into_owned(),
        Err(_) => files.text(&root.join("usr/lib/os-release"))?.into_owned(),
    };
    encode_os(&text, page);
    Ok(())
}

fn encode_os(text: &str, page: &mut Writer) {
    let field = |name: &str| {
        let lines = text.lines().filter_map(|line| line.trim().split_once('='));
        let mut named = lines.filter(|(key, _)| *key == name);
        named
            .next()
            .map_or("", |(_, value)| value.trim_matches(['"', '\'']))
    };
    let fields = [
        "BUILD_ID",
        "ID",
        "ID_LIKE",
        "IMAGE_ID",
        "IMAGE_VERSION",
        "NAME",
        "PRETTY_NAME",
        "VARIANT",
        "VARIANT_ID",
        "VERSION",
        "VERSION_CODENAME",
        "VERSION_ID",
    ];
    let keys = fields.map(str::to_ascii_lowercase);
    let labels: Vec<(&str, &str)> = keys
        .iter()
        .map(String::as_str)
        .zip(fields.map(field))
        .collect();
    page.family(
        "node_os_info",
        "The distribution, as os-release says.",
        Kind::Gauge,
    )
    .sample(&labels, 1.0);
    // 12 or 22.04, and of 3.18.4 the first two numbers.
    let version: Vec<&str> = field("VERSION_ID").split('.').take(2).collect();
    if let Ok(version) = version.join(".").parse() {
        let labels = [
            ("id", field("ID")),
            ("id_like", field("ID_LIKE")),
            ("name", field("NAME")),
        ];
        page.family(
            "node_os_version",
            "The distribution's version as a number.",
            Kind::Gauge,
        )
        .sample(&labels, version);
    }
}

/// The files under `/sys/class/dmi/id` that are labels of the same name.
const DMI: [&str; 18] = [
    "bios_date",
    "bios_release",
    "bios_vendor",
    "bios_version",
    "board_name",
    "board_serial",
    "board_vendor",
    "board_version",
    "chassis_asset_tag",
    "chassis_serial",
    "chassis_vendor",
    "chassis_version",
    "product_family",
    "product_name",
    "product_serial",
    "product_sku",
    "product_uuid",
    "product_version",
];

pub(super) fn dmi(_: &Machine, files: &mut Files<'_>, page: &mut Writer) -> Result<(), Failure> {
    let folder = files.roots.sys.join("class/dmi/id");
    let mut labels = Vec::new();
    for (label, file) in DMI
        .iter()
        .map(|name| (*name, *name))
        .chain([("system_vendor", "sys_vendor")])
    {
        // Serial numbers are for root only; they are left out of the labels.
        if let Some(word) = files.word(&folder.join(file)) {
            labels.push((label, word.into_owned()));
        }
    }
    if labels.is_empty() {
        return Err(Failure::Absent("DMI table".into()));
    }
    let labels: Vec<(&str, &str)> = labels
        .iter()
        .map(|(label, word)| (*label, word.as_str()))
        .collect();
    page.family(
        "node_dmi_info",
        "The firmware's names for board, case and product.",
        Kind::Gauge,
    )
    .sample(&labels, 1.0);
    Ok(())
}

pub(super) fn time(_: &Machine, files: &mut Files<'_>, page: &mut Writer) -> Result<(), Failure> {
    let now = jiff::Timestamp::now();
    let seconds = now.as_nanosecond() as f64 / 1e9;
    page.single(
        "node_time_seconds",
        "The clock, in seconds since 1970.",
        Kind::Gauge,
        seconds,
    );
    let zone = jiff::tz::TimeZone::system();
    let local = zone.to_offset_info(now);
    page.family(
        "node_time_zone_offset_seconds",
        "How far local time is ahead of UTC.",
        Kind::Gauge,
    )
    .sample(
        &[("time_zone", local.abbreviation())],
        f64::from(local.offset().seconds()),
    );
    let folder = files.roots.sys.join("devices/system/clocksource");
    let devices: Vec<String> = names(&folder)
        .into_iter()
        .filter(|name| name.starts_with("clocksource"))
        .collect();
    for (file, name, help) in [
        (
            "available_clocksource",
            "node_time_clocksource_available_info",
            "A clock source that there is.",
        ),
        (
            "current_clocksource",
            "node_time_clocksource_current_info",
            "The clock source in use.",
        ),
    ] {
        page.family(name, help, Kind::Gauge);
        for device in &devices {
            let number = device.trim_start_matches("clocksource");
            let sources = files
                .word(&folder.join(device).join(file))
                .unwrap_or_default();
            for source in sources.split_ascii_whitespace() {
                page.sample(&[("clocksource", source), ("device", number)], 1.0);
            }
        }
    }
    Ok(())
}

pub(super) fn selinux(
    _: &Machine,
    files: &mut Files<'_>,
    page: &mut Writer,
) -> Result<(), Failure> {
    let folder = files.roots.sys.join("fs/selinux");
    let mode = files.number(&folder.join("enforce"));
    let enabled = f64::from(u8::from(mode.is_some()));
    page.single(
        "node_selinux_enabled",
        "Whether SELinux is on.",
        Kind::Gauge,
        enabled,
    );
    if let Some(mode) = mode {
        page.single(
            "node_selinux_current_mode",
            "Whether SELinux refuses what it should.",
            Kind::Gauge,
            mode,
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn os_release_is_unquoted_and_its_version_is_a_number() {
        let mut page = Writer::new();
        encode_os(
            "# x\nNAME=\"Alpine Linux\"\nID=alpine\nVERSION_ID='3.18.4'\n",
            &mut page,
        );
        let page = page.finish();
        assert!(page.contains(
            "node_os_info{id=\"alpine\",name=\"Alpine Linux\",version_id=\"3.18.4\"} 1\n"
        ));
        assert!(page.contains("node_os_version{id=\"alpine\",name=\"Alpine Linux\"} 3.18\n"));
    }
}
