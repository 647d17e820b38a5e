//! All collectors under the names that node_exporter gives them. The file
//! systems are apart, because each mount is asked on its own.

use exposition::Writer;

use super::{
    Machine, arrays, btrfs, cpu, disk, folders, hardware, hwmon, interrupts, ipvs, kernel, memory,
    netclass, netstat, network, nfs, nvme, oom, pressure, processes, rapl, sockets, stat, supplies,
    system, systemd, tcp, textfile, timex, xfs, zfs,
};
use crate::files::{Failure, Files};

/// Reads one source and writes its families.
pub(super) type Read = fn(&Machine, &mut Files<'_>, &mut Writer) -> Result<(), Failure>;

pub(super) const COLLECTORS: [(&str, Read); 48] = [
    ("stat", stat::read),
    ("meminfo", memory::meminfo),
    ("vmstat", memory::vmstat),
    ("loadavg", kernel::loadavg),
    ("pressure", pressure::read),
    ("diskstats", disk::read),
    ("netdev", network::netdev),
    ("netclass", netclass::read),
    ("arp", network::arp),
    ("netstat", netstat::read),
    ("sockstat", sockets::sockstat),
    ("softnet", sockets::softnet),
    ("udp_queues", sockets::udp_queues),
    ("conntrack", sockets::conntrack),
    ("filefd", kernel::filefd),
    ("entropy", kernel::entropy),
    ("schedstat", kernel::schedstat),
    ("kernel_hung", kernel::hung),
    ("time", system::time),
    ("timex", timex::read),
    ("uname", system::uname),
    ("os", system::os),
    ("dmi", system::dmi),
    ("selinux", system::selinux),
    ("cpu", cpu::read),
    ("cpufreq", cpu::frequency),
    ("thermal_zone", hardware::thermal),
    ("mdadm", arrays::read),
    ("bonding", hardware::bonds),
    ("edac", hardware::memory_errors),
    ("powersupplyclass", supplies::read),
    ("watchdog", hardware::watchdogs),
    ("hwmon", hwmon::read),
    ("nvme", nvme::read),
    ("rapl", rapl::read),
    ("xfs", xfs::read),
    ("btrfs", btrfs::read),
    ("zfs", zfs::read),
    ("nfs", nfs::client),
    ("nfsd", nfs::server),
    ("ipvs", ipvs::read),
    ("textfile", textfile::read),
    ("interrupts", interrupts::read),
    ("processes", processes::read),
    ("tcpstat", tcp::read),
    ("systemd", systemd::read),
    ("oom", oom::read),
    ("folders", folders::read),
];

/// Reads a tree with all collectors, on this thread; what they write is a page each.
pub(super) fn any(machine: &Machine) {
    for (name, read) in COLLECTORS {
        let mut page = Writer::new();
        let _ = read(machine, &mut Files::new(&machine.roots), &mut page);
        let page = page.finish();
        for entry in exposition::parse(&page) {
            assert!(entry.is_ok(), "{name}: {entry:?} in {page}");
        }
    }
}
