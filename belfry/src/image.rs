//! Which pages of the program's own file are mapped: after the start those that are used.
//!
//! Reading the configuration and opening databases uses code that is not used again, and the
//! kernel maps 64 KiB and more around each page that is. Nothing is lost here but entries of
//! the page table: what is run or read later is mapped again out of the kernel's cache.

use std::time::Duration;

/// From here on the start is over.
const START: Duration = Duration::from_secs(30);

/// Code for a backup, a reload or a page that somebody opened is let go after so long.
const EVERY: Duration = Duration::from_secs(600);

/// Lets go of what is no longer used, for as long as the program runs.
pub(crate) async fn let_go() {
    tokio::time::sleep(START).await;
    loop {
        unmap();
        tokio::time::sleep(EVERY).await;
    }
}

/// Takes the pages of code and constants out of the page table, and says how many bytes
/// they span.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "only the loader knows where the program lies")]
fn unmap() -> usize {
    let mut spanned = 0_usize;
    // SAFETY: `one` gets what the loader tells, and the number that is counted up here.
    unsafe { libc::dl_iterate_phdr(Some(one), (&raw mut spanned).cast()) };
    spanned
}

/// Nothing is known of where it lies.
#[cfg(not(target_os = "linux"))]
fn unmap() -> usize {
    0
}

/// Unmaps one object's segments that are never written. The first is the program; it ends
/// the search, since what libraries have mapped is shared with all other programs.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "only the loader knows where the program lies")]
unsafe extern "C" fn one(
    info: *mut libc::dl_phdr_info,
    _size: libc::size_t,
    spanned: *mut libc::c_void,
) -> libc::c_int {
    let page = rustix::param::page_size();
    // SAFETY: the loader hands out a whole entry that holds during the call, with as many
    // headers as it says; `spanned` comes from `unmap`.
    let (base, headers, spanned) = unsafe {
        (
            (*info).dlpi_addr,
            std::slice::from_raw_parts((*info).dlpi_phdr, usize::from((*info).dlpi_phnum)),
            &mut *spanned.cast::<usize>(),
        )
    };
    for header in headers {
        // What may be written holds changes that the file has not; so does what is made
        // constant only after addresses were filled in, which is such a segment too.
        if header.p_type != libc::PT_LOAD || header.p_flags & libc::PF_W != 0 {
            continue;
        }
        let (Ok(from), Ok(length)) = (
            usize::try_from(base + header.p_vaddr),
            usize::try_from(header.p_memsz),
        ) else {
            continue;
        };
        let start = from - from % page;
        let length = from + length - start;
        // SAFETY: a private mapping of a file that nobody has written to: it reads the same
        // ever after. If the kernel refuses, the pages stay.
        let refused =
            unsafe { libc::madvise(start as *mut libc::c_void, length, libc::MADV_DONTNEED) };
        if refused == 0 {
            *spanned += length;
        }
    }
    1
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::unmap;

    /// KiB of the program's file that are mapped without having been changed.
    fn mapped() -> u64 {
        let program = std::env::current_exe().expect("a program");
        let program = program.to_str().expect("a name");
        let maps = std::fs::read_to_string("/proc/self/smaps").expect("smaps");
        let (mut ours, mut total) = (false, 0);
        for line in maps.lines() {
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("Rss:") if ours => {
                    let kib = words.next().and_then(|word| word.parse::<u64>().ok());
                    total += kib.expect("a number");
                }
                Some(range) if !range.ends_with(':') => {
                    let access = words.next().expect("access");
                    ours = line.ends_with(program) && !access.contains('w');
                }
                _ => {}
            }
        }
        total
    }

    #[test]
    fn what_is_not_used_is_let_go_and_what_is_used_comes_back() {
        // Much more than is used to look.
        static LARGE: &[u8] = include_bytes!("../../Cargo.lock");
        let sum = || LARGE.iter().map(|byte| u64::from(*byte)).sum::<u64>();
        let (before, full) = (sum(), mapped());
        let spanned = unmap();
        let after = mapped();
        assert!(after < full, "{full} KiB before, {after} KiB after");
        assert!(spanned > LARGE.len(), "{spanned} bytes were unmapped");
        assert_eq!(sum(), before);
    }
}
