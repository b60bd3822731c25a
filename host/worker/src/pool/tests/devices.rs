//! Workers of a device are of that device alone, and of those whom it is allowed.

use super::*;

#[test]
fn a_worker_is_of_one_device_for_life() {
    let scene = Scene::new();
    scene.says(&[answers(Ok(Answer::Collected))]);
    let second = scene.scratch().with_file_name(format!("{}-1", std::process::id()));
    fs::create_dir_all(&second).unwrap();
    for file in ["says", "worker"] {
        fs::copy(scene.scratch().join(file), second.join(file)).unwrap();
    }
    scene.run(&Unwatched).unwrap();
    let guest = scene.pool.idle.lock().unwrap()[&scene.tenant][0].guest.clone().expect("it ran");
    let worker = |device| scene.pool.worker(&scene.tenant, guest.clone(), device).unwrap();
    // Tenant and component are those of the one that waits.
    let other = worker(Device::Cuda(0));
    assert_eq!((other.device, &other.scratch, scene.idle()), (Device::Cuda(0), &second, 1));
    let warm = worker(Device::Cpu);
    assert_eq!((warm.device, warm.scratch.clone(), scene.idle()), (Device::Cpu, scene.scratch(), 0));
}

#[test]
fn who_may_not_use_a_device_gets_no_worker_for_it() {
    let scene = Scene::new();
    let run = || {
        let assignment = Assignment { device: Device::Cuda(0), ..assignment() };
        let (who, base) = ("step `it`".to_owned(), PathBuf::new());
        let call = Call { who, assignment, grants: Grants::default(), base, turn: Default::default() };
        scene.pool.run(&scene.tenant, &call, &Unwatched).result.unwrap_err()
    };
    let denied = run();
    assert_eq!(denied.kind, FaultKind::Denied);
    assert_eq!(denied.message, "step `it`: the tenant's policy does not allow the device `cuda:0`");
    assert!(denied.hint.is_some_and(|hint| hint.contains("--allow 'devices = [\"cuda:0\"]'")));
    assert_eq!((scene.idle(), scene.pool.started.load(Ordering::Relaxed)), (0, 0));
}

#[test]
fn an_idle_worker_of_a_gpu_ends_with_the_tenants_right_to_it() {
    for narrowed_while_it_works in [false, true] {
        let policy = Arc::new(Mutex::new(Grants { devices: vec![DeviceGrant::ANY], ..Grants::default() }));
        let scene = Scene::under(Arc::clone(&policy));
        scene.says(&[]);
        let worker = scene.pool.fresh(&scene.tenant, Device::Cuda(0)).unwrap();
        let narrow = || {
            *policy.lock().unwrap() = Grants::default();
            scene.pool.narrow(&scene.tenant);
        };
        if narrowed_while_it_works {
            narrow();
        }
        scene.pool.give_back(&scene.tenant, worker);
        assert_eq!(scene.idle(), usize::from(!narrowed_while_it_works));
        narrow();
        assert_eq!(scene.idle(), 0);
    }
    // The processors are everybody's.
    let scene = Scene::new();
    scene.says(&[]);
    let worker = scene.pool.fresh(&scene.tenant, Device::Cpu).unwrap();
    scene.pool.give_back(&scene.tenant, worker);
    scene.pool.narrow(&scene.tenant);
    assert_eq!(scene.idle(), 1);
}
