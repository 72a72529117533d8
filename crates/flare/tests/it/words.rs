//! What a job will do, in words.

use expect_test::expect;
use flare::job;

use crate::jobs::{GOOD, parse};

#[test]
fn what_one_slow_client_of_five_does_is_said_in_words() {
    let describe = |more: &str| {
        let text = GOOD.replace("[learner]", &format!("{more}\n[learner]"));
        job::describe(&parse(&text).unwrap())
    };
    expect![[r#"
        good: toy-rounds with toy over 5 clients
        Each round asks all 5 clients.
        If one of five clients is slow: each round waits for it, however long it takes, and takes as long as its slowest client. All 5 replies are needed; min_replies or a deadline in [controller.replies] would change that.
        A client whose learner fails is left out of that round, by name.
        All rounds are exact: the model is the same at any number of workers, and after any kill and resume."#]].assert_eq(&describe(""));
    expect![[r#"
        good: toy-rounds with toy over 5 clients
        Each round asks all 5 clients.
        If one of five clients is slow: 4 of 5 replies are enough; the others are awaited 30 s more, then left out. So up to 1 of them may be slow in a round.
        A client whose learner fails is left out of that round, by name.
        Such rounds are timed: the clock decides whose replies count. A run is the same again only when it is replayed from its record (cohort.jsonl)."#]]
        .assert_eq(&describe("[controller.replies]\nmin_replies = 4\nwait_after_min = 30"));
    expect![[r#"
        good: toy-rounds with toy over 5 clients
        Each round asks all 5 clients.
        If one of five clients is slow: 4 of 5 replies are enough; but without wait_after_min or a deadline the others are awaited all the same, however long it takes. So up to 1 of them may be slow in a round.
        A client whose learner fails is left out of that round, by name.
        Such rounds are timed: the clock decides whose replies count. A run is the same again only when it is replayed from its record (cohort.jsonl)."#]].assert_eq(&describe("[controller.replies]\nmin_replies = 4"));
    expect![[r#"
        good: toy-rounds with toy over 5 clients
        Each round asks all 5 clients.
        If one of five clients is slow: each round waits for it, up to its deadline of 60 s. Then the round fails, since all 5 replies are needed; with min_replies it would go on without the slow ones.
        A client whose learner fails ends the run.
        Such rounds are timed: the clock decides whose replies count. A run is the same again only when it is replayed from its record (cohort.jsonl)."#]].assert_eq(&describe("[controller.replies]\ndeadline = 60\non_failure = 'fail'"));
    expect![[r#"
        good: toy-rounds with toy over 5 clients
        Each round asks 3 of the 5 clients, drawn anew.
        If one of five clients is slow: 2 more are asked than are needed, and the first 3 replies count. As long as no more than 2 of the 5 asked are slow, no round waits for them; their replies are not used.
        A client whose learner fails is left out of that round, by name.
        Such rounds are timed: the clock decides whose replies count. A run is the same again only when it is replayed from its record (cohort.jsonl)."#]].assert_eq(&describe(
        "[controller.sample]\nsize = 3\n[controller.replies]\nover_select = 2",
    ));
}

#[test]
fn a_relay_is_described_as_one() {
    let text = GOOD.replace("kind = \"toy-rounds\"\nrounds = 3", "kind = \"relay\"");
    expect![[r#"
        good: relay with toy over 5 clients
        Each round passes the model from one client to the next.
        If one of five clients is slow: the model waits for it, and those after it wait, too; a round takes as long as all of its stops together.
        A client whose learner fails ends the run.
        All rounds are exact: the model is the same at any number of workers, and after any kill and resume."#]].assert_eq(&job::describe(&parse(&text).unwrap()));
    let text = text.replace("kind = \"relay\"", "kind = \"relay\"\non_failure = \"skip\"");
    let words = job::describe(&parse(&text).unwrap());
    assert!(words.contains("is passed over, by name") && words.contains("are timed"), "{words}");
}
