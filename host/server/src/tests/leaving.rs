//! A tenant that is deleted while somebody is at work for it.

use super::*;

#[test]
fn whoever_is_at_work_for_a_tenant_is_waited_for() {
    let house = House::new();
    let acme: TenantId = "acme".parse().unwrap();
    house.server.create_tenant(&acme, None).unwrap();
    // As a check does, which builds plugins into the tenant's folders.
    let hold = house.server.active(&acme).unwrap();
    std::thread::scope(|scope| {
        let deletion = scope.spawn(|| house.server.delete_tenant(&acme));
        let begin = Instant::now();
        while !house.server.known(&acme).unwrap().suspended {
            assert!(begin.elapsed() < DEADLINE, "nobody suspends it");
            std::thread::yield_now();
        }
        let refused = house.server.active(&acme).map(drop).unwrap_err().to_string();
        assert!(refused.contains("tenant `acme` is suspended"), "{refused}");
        house.server.store.put(&acme, b"what was built").expect("it is there as long as somebody works for it");
        drop(hold);
        let deletion = deletion.join().unwrap().unwrap();
        assert_eq!((deletion.remains, deletion.removed.files > 0), (Vec::new(), true));
    });
}
