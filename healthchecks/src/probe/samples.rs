//! What a probe measured, under blackbox_exporter's names.

mod families;

use exposition::{Kind, Spelled, Writer};

use families::FAMILIES;

/// The values of one probe.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Samples {
    /// The value without labels of each family, by its place among [`FAMILIES`]; nothing
    /// before the first: one block is made for all of them.
    plain: Vec<f64>,
    /// Which of them are set.
    set: u128,
    /// Those with labels, in the order of their families on a page.
    labelled: Vec<Labelled>,
}

/// As many values with labels as a probe of a site without TLS has.
const PHASES: usize = 5;

const _: () = assert!(FAMILIES.len() <= u128::BITS as usize);

#[derive(Debug, Clone, PartialEq)]
struct Labelled {
    /// Its place among [`FAMILIES`].
    family: u8,
    labels: Labels,
    value: f64,
}

/// Nearly all have the name of a phase.
#[derive(Debug, Clone, PartialEq)]
enum Labels {
    Phase(&'static str),
    Some(Box<[(String, String)]>),
}

impl Labels {
    fn new(labels: &[(&str, &str)]) -> Self {
        let owned = labels
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self::Some(owned.collect())
    }

    fn are(&self, labels: &[(&str, &str)]) -> bool {
        match self {
            Self::Phase(phase) => matches!(labels, [("phase", have)] if have == phase),
            Self::Some(own) => {
                let own = own.iter().map(|(name, value)| (&**name, &**value));
                own.eq(labels.iter().copied())
            }
        }
    }

    /// Hands them on as a page takes them.
    fn with<T>(&self, take: impl FnOnce(&[(&str, &str)]) -> T) -> T {
        match self {
            Self::Phase(phase) => take(&[("phase", phase)]),
            Self::Some(labels) => {
                let labels = labels.iter().map(|(name, value)| (&**name, &**value));
                take(&labels.collect::<Vec<_>>())
            }
        }
    }
}

impl Samples {
    /// Sets a value without labels.
    pub(super) fn set(&mut self, name: &'static str, value: f64) {
        let family = family(name);
        if self.plain.is_empty() {
            self.plain = vec![0.0; FAMILIES.len()];
        }
        if let Some(at) = self.plain.get_mut(usize::from(family)) {
            *at = value;
            self.set |= 1 << family;
        }
    }

    /// Sets a yes or no.
    pub(super) fn flag(&mut self, name: &'static str, value: bool) {
        self.set(name, f64::from(u8::from(value)));
    }

    /// Sets the value with these labels.
    pub(super) fn label(&mut self, name: &'static str, labels: &[(&str, &str)], value: f64) {
        match labels {
            [] => self.set(name, value),
            _ => *self.at(name, labels, || Labels::new(labels)) = value,
        }
    }

    /// Adds to the value of a phase.
    pub(super) fn phase(&mut self, name: &'static str, phase: &'static str, seconds: f64) {
        *self.at(name, &[("phase", phase)], || Labels::Phase(phase)) += seconds;
    }

    /// Forgets a family.
    pub(super) fn drop(&mut self, name: &'static str) {
        let family = family(name);
        if let Some(at) = self.plain.get_mut(usize::from(family)) {
            *at = 0.0;
            self.set &= !(1 << family);
        }
        self.labelled.retain(|sample| sample.family != family);
    }

    /// A value, if there is one with just these labels.
    #[must_use]
    pub fn get(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let family = family(name);
        match labels {
            [] => self.plain(family),
            _ => self
                .find(family, labels)
                .ok()
                .map(|at| self.labelled[at].value),
        }
    }

    /// The value of a family without labels.
    fn plain(&self, family: u8) -> Option<f64> {
        let at = self.plain.get(usize::from(family)).copied();
        at.filter(|_| self.set & 1 << family != 0)
    }

    /// The value with these labels; 0 if there was none.
    fn at(
        &mut self,
        name: &'static str,
        labels: &[(&str, &str)],
        own: impl FnOnce() -> Labels,
    ) -> &mut f64 {
        let family = family(name);
        let at = self.find(family, labels).unwrap_or_else(|at| {
            if self.labelled.is_empty() {
                self.labelled.reserve_exact(PHASES);
            }
            let sample = Labelled {
                family,
                labels: own(),
                value: 0.0,
            };
            self.labelled.insert(at, sample);
            at
        });
        &mut self.labelled[at].value
    }

    /// Where the sample with these labels stands, or else belongs: behind its family.
    fn find(&self, family: u8, labels: &[(&str, &str)]) -> Result<usize, usize> {
        let all = &self.labelled;
        let mut at = all.partition_point(|sample| sample.family < family);
        while let Some(sample) = all.get(at).filter(|sample| sample.family == family) {
            if sample.labels.are(labels) {
                return Ok(at);
            }
            at += 1;
        }
        Err(at)
    }
}

/// So many names are told apart by [`slot`] without a second look.
const SLOTS: usize = 256;

/// Where each family stands, by the slot of its name, or else in the next free one.
const PLACES: [u8; SLOTS] = {
    let mut places = [u8::MAX; SLOTS];
    let mut at = 0;
    while at < FAMILIES.len() {
        let mut slot = slot(FAMILIES[at].0.as_bytes());
        while places[slot] != u8::MAX {
            slot = (slot + 1) % SLOTS;
        }
        places[slot] = at as u8;
        at += 1;
    }
    places
};

/// Where to begin to look for a name: by its length and two bytes by which names differ.
const fn slot(name: &[u8]) -> usize {
    if name.len() < 12 {
        return 0;
    }
    let (late, middle) = (name[name.len() - 3], name[name.len() / 2]);
    (name.len() * 21 + late as usize * 13 + middle as usize * 3) % SLOTS
}

/// The place of a family; what is none has the one behind all, and is on no page.
fn family(name: &str) -> u8 {
    let mut slot = slot(name.as_bytes());
    loop {
        let place = PLACES[slot];
        match FAMILIES.get(usize::from(place)) {
            Some((have, _)) if *have == name => return place,
            Some(_) => slot = (slot + 1) % SLOTS,
            None => return FAMILIES.len() as u8,
        }
    }
}

/// Writes many probes on one page, each with its own labels.
pub(super) fn write(page: &mut Writer, probes: &[(&Spelled, &Samples)]) {
    let mut left: Vec<_> = probes
        .iter()
        .map(|(own, samples)| (*own, *samples, samples.labelled.iter().peekable()))
        .collect();
    for (family, (name, help)) in (0_u8..).zip(&FAMILIES) {
        let mut open = false;
        let mut add = |own: &Spelled, labels: &[(&str, &str)], value| {
            if !std::mem::replace(&mut open, true) {
                page.family(name, help, Kind::Gauge);
            }
            page.spelled("", own, labels, value);
        };
        for (own, samples, labelled) in &mut left {
            if let Some(value) = samples.plain(family) {
                add(own, &[], value);
            }
            while let Some(sample) = labelled.next_if(|next| next.family == family) {
                sample.labels.with(|labels| add(own, labels, sample.value));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_is_found_at_its_place_and_no_other_name_is() {
        for (at, (name, _)) in FAMILIES.iter().enumerate() {
            assert_eq!(usize::from(family(name)), at, "{name}");
            for other in [&name[1..], &format!("{name}s"), &name.replace('e', "a")] {
                if !FAMILIES.iter().any(|(name, _)| *name == other) {
                    assert_eq!(usize::from(family(other)), FAMILIES.len(), "{other}");
                }
            }
        }
        assert_eq!(usize::from(family("")), FAMILIES.len());
    }

    #[test]
    fn a_page_has_families_in_their_order_and_values_as_they_were_set() {
        let mut samples = Samples::default();
        samples.set("belfry_probe_steps_seconds", 1.0);
        samples.phase("probe_http_duration_seconds", "tls", 0.5);
        samples.phase("probe_http_duration_seconds", "connect", 0.25);
        samples.phase("probe_http_duration_seconds", "tls", 1.0);
        samples.label("probe_expect_info", &[("a", "x"), ("b", "y")], 1.0);
        samples.label("probe_expect_info", &[("a", "x")], 1.0);
        samples.label("probe_expect_info", &[("a", "x"), ("b", "y")], 2.0);
        samples.flag("probe_success", false);
        samples.flag("probe_success", true);
        samples.set("probe_dns_serial", 7.0);
        samples.drop("probe_dns_serial");

        let mut page = Writer::new();
        let other = Samples::default();
        write(
            &mut page,
            &[
                (&Spelled::new(&[("probe", "p")]), &samples),
                (&Spelled::default(), &other),
            ],
        );
        let page = page.finish();
        let lines: Vec<_> = page.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            lines,
            [
                r#"probe_success{probe="p"} 1"#,
                r#"probe_http_duration_seconds{probe="p",phase="tls"} 1.5"#,
                r#"probe_http_duration_seconds{probe="p",phase="connect"} 0.25"#,
                r#"probe_expect_info{probe="p",a="x",b="y"} 2"#,
                r#"probe_expect_info{probe="p",a="x"} 1"#,
                r#"belfry_probe_steps_seconds{probe="p"} 1"#,
            ]
        );
        let phase = |name| samples.get("probe_http_duration_seconds", &[("phase", name)]);
        assert_eq!((phase("tls"), phase("resolve")), (Some(1.5), None));
        assert_eq!(samples.get("probe_dns_serial", &[]), None);
        assert_eq!(samples.get("probe_of_nothing", &[]), None);
    }
}
