//! Symptoms hidden behind their cause, in virtual time.

use super::*;
use crate::Need;

fn need(service: &str, needs: &str) -> Need {
    Need {
        project: "shop".into(),
        service: service.into(),
        needs: needs.into(),
    }
}

const DB: &str = "alertname=ContainerDown instance=host1 project=shop service=db severity=critical";
const WEB: &str = "alertname=ProbeFailed instance=shop.example probe=web project=shop service=web severity=critical";
const OTHER: &str = "alertname=ProbeFailed project=blog service=web severity=critical";

#[test]
fn what_is_down_for_want_of_another_is_listed_with_the_cause_and_told_when_it_stays() {
    for early in [true, false] {
        let mut world = World::new(own());
        let needs = [need("web", "api"), need("api", "db")];
        if early {
            world.alerter.set_needs(&needs);
        }
        world.fire(DB);
        world.fire(WEB);
        world.fire(OTHER);
        world.alerter.set_needs(&needs);
        world.run(100);
        let mut sent: Vec<_> = world
            .sent()
            .into_iter()
            .map(|(_, says)| says.to_owned())
            .collect();
        sent.sort();
        assert_eq!(
            sent,
            [
                "first notification +ContainerDown",
                "first notification +ProbeFailed"
            ]
        );
        let hides: Vec<_> = world
            .attempts
            .iter()
            .map(|it| it.notification.inhibits.len())
            .collect();
        assert_eq!(hides.iter().sum::<usize>(), 1, "{hides:?}");
        let views = world.alerter.alerts(world.now_ms);
        let hidden: Vec<_> = views
            .iter()
            .filter(|it| it.inhibited_by.is_some())
            .collect();
        assert_eq!(hidden.len(), 1);
        assert_eq!(hidden[0].labels["project"], "shop");
        world.end(DB, 0);
        world.run(1_000);
        let last: Vec<_> = world.sent().into_iter().skip(2).collect();
        assert!(
            last.iter()
                .any(|(_, says)| *says == "first notification +ProbeFailed"),
            "{last:?}"
        );
    }
}

#[test]
fn services_of_another_host_are_not_hidden() {
    let mut world = World::new(own());
    world.alerter.set_needs(&[need("web", "db")]);
    world.fire(DB);
    world.fire("alertname=ContainerDown instance=host2 project=shop service=web severity=critical");
    world.run(100);
    let hidden = world.alerter.alerts(world.now_ms);
    assert!(hidden.iter().all(|it| it.inhibited_by.is_none()));
}

#[test]
fn what_is_not_critical_hides_nothing() {
    let mut world = World::new(own());
    world.alerter.set_needs(&[need("web", "db")]);
    world.fire(&DB.replace("critical", "warning"));
    world.fire(WEB);
    world.run(100);
    assert_eq!(world.sent().len(), 2);
}
