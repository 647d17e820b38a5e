//! What the kernel's NFS client and server count: `/proc/net/rpc`.

use exposition::Writer;

use super::Machine;
use super::gathered::Gathered;
use crate::files::{Failure, Files};

const VERSION_2: &str = "Null GetAttr SetAttr Root Lookup ReadLink Read WrCache Write Create Remove \
    Rename Link SymLink MkDir RmDir ReadDir FsStat";
const VERSION_3: &str = "Null GetAttr SetAttr Lookup Access ReadLink Read Write Create MkDir SymLink \
    MkNod Remove RmDir Rename Link ReadDir ReadDirPlus FsStat FsInfo PathConf Commit";
/// In the order in which the kernel's client numbers what it asks.
const ASKED_4: &str = "Null Read Write Commit Open OpenConfirm OpenNoattr OpenDowngrade Close Setattr \
    FsInfo Renew SetClientID SetClientIDConfirm Lock Lockt Locku Access Getattr Lookup LookupRoot \
    Remove Rename Link Symlink Create Pathconf StatFs ReadLink ReadDir ServerCaps DelegReturn GetACL \
    SetACL FsLocations ReleaseLockowner Secinfo FsidPresent ExchangeID CreateSession DestroySession \
    Sequence GetLeaseTime ReclaimComplete LayoutGet GetDeviceInfo LayoutCommit LayoutReturn \
    SecinfoNoName TestStateID FreeStateID GetDeviceList BindConnToSession DestroyClientID Seek \
    Allocate DeAllocate LayoutStats Clone";
/// From operation 3 on, as the protocol numbers them.
const DONE_4: &str = "Access Close Commit Create DelegPurge DelegReturn GetAttr GetFH Link Lock Lockt \
    Locku Lookup LookupRoot Nverify Open OpenAttr OpenConfirm OpenDgrd PutFH PutPubFH PutRootFH Read \
    ReadDir ReadLink Remove Rename Renew RestoreFH SaveFH SecInfo SetAttr SetClientID \
    SetClientIDConfirm Verify Write RelLockOwner";
/// Without a place of their own on the peer's page.
const UNTOLD: [&str; 2] = ["PutPubFH", "PutRootFH"];

pub(super) fn client(_: &Machine, files: &mut Files<'_>, page: &mut Writer) -> Result<(), Failure> {
    let mut found = Gathered::default();
    for line in files.net("rpc/nfs")?.lines() {
        asked(line, &mut found);
    }
    found.write(page);
    Ok(())
}

pub(super) fn server(_: &Machine, files: &mut Files<'_>, page: &mut Writer) -> Result<(), Failure> {
    let mut found = Gathered::default();
    for line in files.net("rpc/nfsd")?.lines() {
        done(line, &mut found);
    }
    found.write(page);
    Ok(())
}

/// A line's first word, and the numbers behind it.
fn split(line: &str) -> (&str, Vec<f64>) {
    let mut words = line.split_ascii_whitespace();
    let first = words.next().unwrap_or_default();
    (first, words.map_while(|word| word.parse().ok()).collect())
}

fn asked(line: &str, found: &mut Gathered) {
    let (what, numbers) = split(line);
    let requests = "node_nfs_requests_total";
    match (what, &*numbers) {
        ("net", [_, udp, tcp, connections, ..]) => {
            for (protocol, count) in [("tcp", *tcp), ("udp", *udp)] {
                let name = "node_nfs_packets_total";
                found.add(
                    name,
                    "Packets by protocol.",
                    &[("protocol", protocol)],
                    count,
                );
            }
            let name = "node_nfs_connections_total";
            found.add(name, "Connections over TCP.", &[], *connections);
        }
        ("rpc", [calls, again, refreshes, ..]) => {
            found.add("node_nfs_rpcs_total", "Calls.", &[], *calls);
            let name = "node_nfs_rpc_retransmissions_total";
            found.add(name, "Calls that were sent again.", &[], *again);
            let name = "node_nfs_rpc_authentication_refreshes_total";
            found.add(name, "Renewals of credentials.", &[], *refreshes);
        }
        ("proc2", [_, counts @ ..]) => methods(found, requests, "2", VERSION_2, counts),
        ("proc3", [_, counts @ ..]) => methods(found, requests, "3", VERSION_3, counts),
        ("proc4", [_, counts @ ..]) => {
            // Kernels know more or fewer of them; those that this one lacks are 0 there.
            let mut counts = counts.to_vec();
            counts.resize(
                counts.len().max(ASKED_4.split_ascii_whitespace().count()),
                0.0,
            );
            methods(found, requests, "4", ASKED_4, &counts);
        }
        _ => {}
    }
}

fn done(line: &str, found: &mut Gathered) {
    let (what, numbers) = split(line);
    let requests = "node_nfsd_requests_total";
    let help = "A count of /proc/net/rpc/nfsd.";
    let mut add = |name: &str, value: f64| found.add(name, help, &[], value);
    match (what, &*numbers) {
        ("rc", [hits, misses, nocache, ..]) => {
            add("node_nfsd_reply_cache_hits_total", *hits);
            add("node_nfsd_reply_cache_misses_total", *misses);
            add("node_nfsd_reply_cache_nocache_total", *nocache);
        }
        ("fh", [stale, ..]) => add("node_nfsd_file_handles_stale_total", *stale),
        ("io", [read, written, ..]) => {
            add("node_nfsd_disk_bytes_read_total", *read);
            add("node_nfsd_disk_bytes_written_total", *written);
        }
        ("th", [threads, ..]) => add("node_nfsd_server_threads", *threads),
        ("ra", [blocks, .., not_found]) => {
            add("node_nfsd_read_ahead_cache_size_blocks", *blocks);
            add("node_nfsd_read_ahead_cache_not_found_total", *not_found);
        }
        ("net", [_, udp, tcp, connections, ..]) => {
            add("node_nfsd_connections_total", *connections);
            for (protocol, count) in [("tcp", *tcp), ("udp", *udp)] {
                let name = "node_nfsd_packets_total";
                found.add(name, help, &[("proto", protocol)], count);
            }
        }
        ("rpc", [calls, _, format, auth, client, ..]) => {
            add("node_nfsd_server_rpcs_total", *calls);
            for (error, count) in [("auth", *auth), ("cInt", *client), ("fmt", *format)] {
                let name = "node_nfsd_rpc_errors_total";
                found.add(name, help, &[("error", error)], count);
            }
        }
        // The peer's server tells nothing of `Null`, which its client does.
        ("proc2", [_, _, counts @ ..]) => {
            methods(
                found,
                requests,
                "2",
                VERSION_2.trim_start_matches("Null "),
                counts,
            );
        }
        ("proc3", [_, _, counts @ ..]) => {
            methods(
                found,
                requests,
                "3",
                VERSION_3.trim_start_matches("Null "),
                counts,
            );
        }
        ("proc4ops", [_, _, _, _, counts @ ..]) => methods(found, requests, "4", DONE_4, counts),
        ("wdeleg_getattr", [count, ..]) => {
            methods(found, requests, "4", "WdelegGetattr", &[*count]);
        }
        _ => {}
    }
}

fn methods(found: &mut Gathered, family: &str, version: &str, names: &str, counts: &[f64]) {
    let named = names.split_ascii_whitespace().zip(counts);
    for (method, count) in named.filter(|(method, _)| !UNTOLD.contains(method)) {
        let labels = [("method", method), ("proto", version)];
        found.add(family, "Requests by version and kind.", &labels, *count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(lines: &str, read: fn(&str, &mut Gathered)) -> String {
        let mut found = Gathered::default();
        lines.lines().for_each(|line| read(line, &mut found));
        let mut page = Writer::new();
        found.write(&mut page);
        page.finish()
    }

    #[test]
    fn what_the_client_asked_is_told_by_version() {
        let page = told(
            "net 70 71 69 45\nrpc 12 3 4\nproc2 18 16 57\nproc3 22 0 106 48\nproc4 3 48 98 51\nproc9 x\n\nrpc",
            asked,
        );
        for line in [
            "node_nfs_packets_total{protocol=\"udp\"} 71\n",
            "node_nfs_connections_total 45\n",
            "node_nfs_rpc_retransmissions_total 3\n",
            "node_nfs_requests_total{method=\"GetAttr\",proto=\"2\"} 57\n",
            "node_nfs_requests_total{method=\"SetAttr\",proto=\"3\"} 48\n",
            "node_nfs_requests_total{method=\"Write\",proto=\"4\"} 51\n",
            "node_nfs_requests_total{method=\"Clone\",proto=\"4\"} 0\n",
        ] {
            assert!(page.contains(line), "{line}{page}");
        }
    }

    #[test]
    fn what_the_server_did_is_told_by_operation() {
        let page = told(
            "rc 0 6 18\nfh 1 0\nio 15 72\nth 8 0 0.0\nra 32 0 0 7\nnet 972 55 917 1\nrpc 186 3 1 2 5\n\
             proc2 18 2 69\nproc3 22 4 21\nproc4ops 7 0 0 0 1098 2 0\nwdeleg_getattr 15\nfh",
            done,
        );
        for line in [
            "node_nfsd_reply_cache_misses_total 6\n",
            "# TYPE node_nfsd_server_threads gauge\nnode_nfsd_server_threads 8\n",
            "node_nfsd_read_ahead_cache_not_found_total 7\n",
            "node_nfsd_rpc_errors_total{error=\"auth\"} 2\n",
            "node_nfsd_requests_total{method=\"Access\",proto=\"4\"} 1098\n",
            "node_nfsd_requests_total{method=\"Close\",proto=\"4\"} 2\n",
            "node_nfsd_requests_total{method=\"WdelegGetattr\",proto=\"4\"} 15\n",
            "node_nfsd_packets_total{proto=\"tcp\"} 917\n",
            "node_nfsd_requests_total{method=\"GetAttr\",proto=\"2\"} 69\n",
            "node_nfsd_requests_total{method=\"GetAttr\",proto=\"3\"} 21\n",
        ] {
            assert!(page.contains(line), "{line}{page}");
        }
        assert!(!page.contains("Null"), "{page}");
    }
}
