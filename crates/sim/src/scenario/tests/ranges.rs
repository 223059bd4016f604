//! Every number has a range, and what lies beyond is refused with its line.

use super::{SMALL, Scenario, wrong};

/// What is wrong with a further table, which begins in this line.
const LINE: u32 = 25;

/// A value of a person, of the core node, of a path or of the whole, and what is said of it.
const VALUES: &[(&str, &str, &str)] = &[
    ("length = \"2h\"", "length = \"1ms\"", "at least \"1s\""),
    ("length = \"2h\"", "length = \"9999d\"", "at most \"732d\""),
    (
        "length = \"2h\"",
        "length = \"2h\"\nconverge = \"800d\"",
        "at most \"732d\"",
    ),
    ("latency = \"1ms\"", "latency = \"2m\"", "at most \"1m\""),
    (
        "latency = \"1ms\"",
        "jitter = \"1000000d\"",
        "at most \"1m\"",
    ),
    (
        "latency = \"1ms\"",
        "loss = \"100%\"",
        "at most \"90%\"; what lets nothing through is a [[cut]]",
    ),
    ("latency = \"1ms\"", "loss = \"91%\"", "at most \"90%\""),
    (
        "latency = \"1ms\"",
        "rate = \"2000Gbit\"",
        "at most \"1000Gbit\"",
    ),
    ("count = 5", "count = 5\ndisk = \"0B\"", "at least \"1KiB\""),
    (
        "count = 5",
        "count = 5\ndisk = \"2000TiB\"",
        "at most \"1024TiB\"",
    ),
    (
        "count = 5",
        "count = 5\ncommit = \"5ms..1ms\"",
        "the smaller one first",
    ),
    ("count = 5", "count = 5\ncommit = \"1h\"", "at most \"1m\""),
    (
        "count = 5",
        "count = 5\nreads-after = \"10000d\"",
        "at most \"732d\"",
    ),
    (
        "count = 5",
        "count = 5\nstarts = \"2h..3h\"",
        "a time before the end: `length` is \"2h\"",
    ),
    (
        "online = \"50%\"",
        "online = \"0%\"",
        "a share above \"0%\"",
    ),
    ("sessions = 48", "sessions = 0", "a number above 0"),
    (
        "founder = \"ana\"",
        "founder = \"ana\"\njoins = \"3h\"",
        "a time before the end",
    ),
    ("per-day = 240", "per-day = 0", "a number above 0"),
    ("per-day = 240", "per-day = 1000000", "at most 100000"),
    ("per-day = 240", "every = \"0s\"", "at least \"1ms\""),
    (
        "per-day = 240",
        "per-day = 9\nexpires = \"1s\"",
        "at least \"3s\"",
    ),
    (
        "per-day = 240",
        "per-day = 9\nfrom = \"2h\"",
        "a time before the end",
    ),
    ("per-day = 240", "per-day = 9\nburst = 1001", "at most 1000"),
    ("name = \"ana\"", "name = \"\"", "`name` is empty"),
    ("name = \"ana\"", "name = \"a\\u001bna\"", "is no name"),
];

/// A table of trouble with something impossible, and what is said of it.
const TROUBLE: &[(&str, &str)] = &[
    (
        "[[crash]]\nwho = \"ana\"\nat = \"2h\"",
        "a time before the end: `length` is \"2h\"",
    ),
    (
        "[[crash]]\nwho = \"ana\"\nat = [\"1h\", \"50h\"]",
        "`50h` is impossible for `at`",
    ),
    (
        "[[crash]]\nwho = \"ana\"\nat = \"03:00\"",
        "a time before the end",
    ),
    ("[[crash]]\nwho = \"ana\"\nper-day = 0", "a number above 0"),
    (
        "[[crash]]\nwho = \"ana\"\nper-day = 5e9",
        "a number such as 20",
    ),
    (
        "[[crash]]\nwho = \"ana\"\nat = \"1h\"\nshare = \"0%\"",
        "a share above \"0%\"",
    ),
    (
        "[[crash]]\nwho = \"ana\"\nat = \"1h\"\ndown = \"800d\"",
        "at most \"732d\"",
    ),
    (
        "[[crash]]\nwho = \"ana\"\nat = \"1h\"\neffects = \"1..9999999\"",
        "at most 1000000",
    ),
    (
        "[[torn]]\nwho = \"ana\"\nat = \"1h\"\nbatches = 0",
        "at least 1",
    ),
    (
        "[[disk]]\nwho = \"ana\"\nat = \"1h\"\nbytes = 0",
        "at least \"1KiB\"",
    ),
    (
        "[[backup]]\nwho = \"ana\"\nat = \"1h\"\nrestored = \"5h\"",
        "a time before the end",
    ),
    (
        "[[clone]]\nwho = \"ana\"\nat = \"2h\"",
        "a time before the end",
    ),
    (
        "[[clock]]\nwho = \"ana\"\nskew = \"0s\"",
        "the clock is right",
    ),
    (
        "[[clock]]\nwho = \"ana\"\nskew = \"-9000d\"",
        "at most \"7320d\" or \"-7320d\"",
    ),
    (
        "[[clock]]\nwho = \"ana\"\ndrift = \"0ppm\"",
        "the clock is right",
    ),
    (
        "[[clock]]\nwho = \"ana\"\ndrift = \"100001ppm\"",
        "at most 100000ppm",
    ),
    (
        "[[cut]]\nfrom = \"ana\"\nto = \"core\"\nat = \"2h\"",
        "a time before the end",
    ),
    (
        "[[cut]]\nfrom = \"ana\"\nto = \"core\"\nat = \"1h\"\nfor = \"800d\"",
        "at most \"732d\"",
    ),
    (
        "[[tear]]\nbetween = [\"ana\", \"core\"]\nat = \"7d\"",
        "a time before the end",
    ),
    (
        "[[weather]]\nsite = \"home\"\nat = \"2h\"\nuplink = \"none\"",
        "a time before the end",
    ),
    (
        "[[weather]]\nsite = \"home\"\nat = \"1h\"\ninside = { loss = \"100%\" }",
        "at most \"90%\"",
    ),
    (
        "[[travel]]\nwho = \"ana\"\nstops = [{ at = \"2h\", to = \"home\" }]",
        "before the end",
    ),
    (
        "[[travel]]\nwho = \"ana\"\nrepeat = \"1ms\"\nstops = [{ at = \"1h\", to = \"home\" }]",
        "at least \"1m\"",
    ),
    (
        "[[leave]]\nwho = \"friend\"\ntopic = \"chat\"\nat = \"2h\"",
        "a time before the end",
    ),
    (
        "[[grant]]\nwho = \"ana\"\nto = \"friend\"\ntopic = \"chat\"\nat = \"2h\"\nrights = \"read\"",
        "a time before the end",
    ),
    (
        "[[grant]]\nwho = \"ana\"\nto = \"friend\"\ntopic = \"chat\"\nat = \"1h\"\nrights = \"write\"",
        "publish, read, admit",
    ),
    (
        "[[grant]]\nwho = \"ana\"\nto = \"friend\"\ntopic = \"chat\"\nat = \"1h\"",
        "`rights` is missing",
    ),
    (
        "[[grant]]\nwho = \"ana\"\nto = \"friend\"\ntopic = \"chat\"\nat = \"1h\"\n\
         rights = \"read\"\nper-minute = 2000",
        "at most 1024",
    ),
    (
        "[[revoke]]\nwho = \"ana\"\nfrom = \"friend\"\ntopic = \"chat\"\nat = \"1h\"\nrights = []",
        "`rights` names none",
    ),
    (
        "[[revoke]]\nwho = \"ana\"\nfrom = \"friend\"\ntopic = \"chat\"\nat = \"1h\"\n\
         rights = [\"read\", \"read\"]",
        "`rights` names one twice",
    ),
    (
        "[[revoke]]\nwho = \"ana\"\ntopic = \"chat\"\nat = \"1h\"",
        "`from` is missing",
    ),
    (
        "[[liar]]\nwho = \"ana\"\nkinds = \"fork\"\none-in = 0",
        "at least 1",
    ),
];

#[test]
fn values_out_of_their_range_are_refused_with_their_line() {
    for (from, to, said) in VALUES {
        let text = SMALL.replacen(from, to, 1);
        assert_ne!(text, SMALL, "{from}");
        let mistakes = wrong(&text);
        let fits = |mistake: &String| mistake.starts_with("line ") && mistake.contains(said);
        assert!(mistakes.iter().any(fits), "{to}: {mistakes:#?}");
    }
}

#[test]
fn trouble_that_never_happens_or_never_ends_is_refused_with_its_line() {
    assert_eq!(SMALL.lines().count() as u32 + 1, LINE);
    for (table, said) in TROUBLE {
        let mistakes = wrong(&format!("{SMALL}{table}\n"));
        let here = |mistake: &String| {
            let line = mistake
                .strip_prefix("line ")
                .and_then(|rest| rest.split(':').next());
            line.and_then(|line| line.parse().ok())
                .is_some_and(|line: u32| line >= LINE)
        };
        let fits = |mistake: &String| here(mistake) && mistake.contains(said);
        assert!(mistakes.iter().any(fits), "{table}: {mistakes:#?}");
    }
}

#[test]
fn what_would_take_all_memory_is_refused_with_its_line() {
    let plan = |text: &str| Scenario::read(text, "x").unwrap().plan(1).unwrap_err();
    let long = SMALL.replace("\"2h\"", "\"700d\"");
    let cases = [
        (
            long.replace("count = 5", "count = 20000")
                .replace("[\"friend\"]", "[\"friend-1\"]")
                .replace("sessions = 48", "sessions = 1000"),
            13,
            "too many steps",
        ),
        (
            SMALL
                .replace("count = 5", "count = 40000")
                .replace("[\"friend\"]", "[\"friend\"]\ncount = 5000\nsize = 5000"),
            20,
            "too many steps",
        ),
        (
            SMALL.replace("count = 5", "count = 10001"),
            20,
            "a topic has 10001 members",
        ),
        (
            format!(
                "{long}[[travel]]\nwho = \"people\"\nrepeat = \"1m\"\n\
                 stops = [{{ at = \"1h\", to = \"home\" }}]\n"
            ),
            25,
            "too many journeys",
        ),
        (
            format!(
                "{}[[clone]]\nwho = \"friend\"\nat = \"1h\"\n",
                SMALL
                    .replace("count = 5", "count = 30000")
                    .replace("[\"friend\"]", "[\"friend-1\"]")
            ),
            25,
            "too many nodes",
        ),
        (
            SMALL
                .replace("\"2h\"", "\"700d\"")
                .replace("per-day = 240", "every = \"1ms\""),
            23,
            "too many steps",
        ),
    ];
    for (text, line, said) in cases {
        let mistake = plan(&text);
        assert!(mistake.what.contains(said), "{mistake}");
        let near = mistake.line.unwrap_or(0).abs_diff(line);
        assert!(near <= 2, "line {line}: {mistake}");
    }
}

#[test]
fn a_scenario_where_everybody_is_there_once_has_one_size() {
    let one = SMALL.replace("count = 5", "count = 1");
    let one = Scenario::read(&one, "x").unwrap();
    assert_eq!(one.plan_scaled(1, 3).unwrap().nodes.len(), 3);
    let mistake = one.plan_scaled(1, 300).unwrap_err();
    assert!(mistake.what.contains("everybody"), "{mistake}");
}

#[test]
fn a_share_of_people_is_spread_as_before_at_regular_times() {
    let text = SMALL.replace("per-day = 240", "every = \"10s\"");
    let plan = Scenario::read(&text, "x").unwrap().plan(1).unwrap();
    let sends = plan.steps.iter().filter_map(|step| match step.act {
        crate::plan::Act::Send { node, .. } => Some((node, step.at_ms)),
        _ => None,
    });
    let mut all: Vec<(u32, u64)> = sends.collect();
    all.sort_unstable();
    assert!(all.len() > 500, "{}", all.len());
    for pair in all.windows(2) {
        let [(one, from), (other, to)] = pair else {
            continue;
        };
        assert!(one != other || (to - from) % 10_000 == 0);
    }
}

#[test]
fn lists_and_tables_have_an_end() {
    let times = vec!["\"1h\""; 1_001].join(", ");
    let crash = format!("[[crash]]\nwho = \"ana\"\nat = [{times}]\n");
    let names = vec!["\"everybody\""; 10_001].join(", ");
    let crowd = format!("[[crash]]\nat = \"1h\"\nwho = [{names}]\n");
    let tables = "[[messages]]\nper-day = 1\n".repeat(1_001);
    for (more, said) in [
        (
            crash,
            "`at` in [[crash]] is there 1001 times; expected: at most 1000",
        ),
        (
            crowd,
            "`who` in [[crash]] is there 10001 times; expected: at most 10000",
        ),
        (
            tables,
            "`messages` is there 1002 times; expected: at most 1000",
        ),
    ] {
        let mistakes = wrong(&format!("{SMALL}{more}"));
        assert!(
            mistakes.iter().any(|text| text.contains(said)),
            "{mistakes:#?}"
        );
    }
}

#[test]
fn many_mistakes_are_told_in_time_and_each_in_its_line() {
    let sites: String = (0..900)
        .map(|no| format!("[[site]]\nnme = \"s{no}\"\n"))
        .collect();
    let unknown: String = (0..40_000).map(|no| format!("k{no} = 1\n")).collect();
    let mistakes = wrong(&format!("{unknown}{sites}"));
    assert_eq!(mistakes.len(), crate::scenario::limits::MAX_MISTAKES);
    assert!(
        mistakes
            .iter()
            .any(|text| text.starts_with("line 9: unknown key `k8`"))
    );
}
