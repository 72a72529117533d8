//! What is wrong with a job: all of it at once, in exact words.

use expect_test::expect;

use crate::jobs::{GOOD, parse, refused};

#[test]
fn every_fault_is_listed_at_once_in_the_order_of_the_file() {
    let text = r#"
        name = "Bad Name"
        seed = -1
        extra = true
        [clients]
        count = 0
        [controller]
        kind = "toy-rounds"
        round = 3
        momentum = "much"
        [controller.replies]
        min_replies = "two"
        on_failure = "shrug"
        [learner]
        kind = "tooy"
        [model]
        file = "m.safetensors"
        [[model.tensors]]
        name = "w"
        shape = [-2]
        dtype = "f31"
        [[model.tensors]]
        name = "v"
        shape = [2]
        init = { normal = inf }
        [[filters]]
        kind = "toy-clip"
        at = "somewhere"
        norm = 1.0
        [[filters]]
        at = "task_in"
    "#;
    refused(
        text,
        expect![[r#"
            job.toml: 15 faults
              name = "Bad Name": expected a name: 1 to 64 of a-z, 0-9, '.', '_', '-', the first a letter or digit
              seed = -1: expected at least 0
              clients.count = 0: expected at least 1
              controller.rounds: missing, expected a whole number
              controller.momentum = "much": expected a number
              controller.replies.min_replies = "two": expected a whole number
              controller.replies.on_failure = "shrug": expected "exclude" or "fail"
              controller.round = 3: expected one of the fields kind, momentum, replies, rounds, sample
              learner.kind = "tooy": expected a learner that is known: echo, failing, fixed, sleepy, softmax-regression, toy
              model.tensors[1].init.normal = inf: expected a finite number
              model.tensors[0].dtype = "f31": expected one of "f16", "bf16", "f32", "f64", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "bool"
              model.tensors[0].shape[0] = -2: expected at least 0
              filters[0].at = "somewhere": expected "task_out" or "task_in" or "reply_out" or "reply_in"
              filters[1].kind: missing, expected a text
              extra = true: expected one of the fields clients, controller, data, faults, filters, learner, model, name, report, seed"#]],
    );
}

#[test]
fn numbers_that_do_not_go_together_are_found() {
    let more = |text: &str| GOOD.replace("[learner]", &format!("{text}\n[learner]"));
    refused(
        &more("[controller.sample]\nsize = 6"),
        expect![[r#"
        job.toml: 1 fault
          controller.sample.size = 6: expected at most the 5 clients that there are"#]],
    );
    let two_of_five = "[controller.sample]\nsize = 2\n[controller.replies]\n";
    refused(
        &more(&format!("{two_of_five}min_replies = 3\nover_select = 4")),
        expect![[r#"
            job.toml: 2 faults
              controller.replies.min_replies = 3: expected at most the 2 that are asked
              controller.replies.over_select = 4: expected at most 3, since 2 of 5 are asked"#]],
    );
    refused(
        &more("[controller.replies]\nmin_replies = 0\nwait_after_min = -1"),
        expect![[r#"
            job.toml: 2 faults
              controller.replies.wait_after_min = -1: expected seconds of at least 0
              controller.replies.min_replies = 0: expected at least 1"#]],
    );
    refused(
        &more("[controller.replies]\nwait_after_min = 1"),
        expect![[r#"
        job.toml: 1 fault
          controller.replies.wait_after_min = 1: expected `min_replies` beside it"#]],
    );
    refused(
        &more("[controller.replies]\nover_select = 1"),
        expect![[r#"
            job.toml: 1 fault
              controller.replies.over_select = 1: expected at most 0, since 5 of 5 are asked"#]],
    );
    refused(
        &more("momentum = 1.0"),
        expect![[r#"
        job.toml: 1 fault
          controller.momentum = 1: expected less than 1"#]],
    );
    refused(
        &GOOD.replace("count = 5", "names = ['a', 'b', 'a', 'held-out']"),
        expect![[r#"
        job.toml: 2 faults
          clients.names[2] = "a": expected each name once
          clients.names[3] = "held-out": expected another name: this one stands for the held-out rows"#]],
    );
    refused(
        &GOOD.replace("count = 5", ""),
        expect![[r#"
        job.toml: 1 fault
          clients.count: missing, expected a number of clients, or `names`"#]],
    );
    refused(
        &GOOD.replace("[2, 3]", "[4611686018427387904, 4]"),
        expect![[r#"
            job.toml: 1 fault
              model.tensors[0].shape = [4611686018427387904, 4]: expected at most 64 dimensions, and no more bytes than can be addressed"#]],
    );
    refused(
        &GOOD.replace("[2, 3]", "[1099511627776]"),
        expect![[r#"
        job.toml: 1 fault
          model = 4398046511232 bytes: expected at most 68719476736 bytes"#]],
    );
}

#[test]
fn all_ranges_of_all_components_are_judged_at_once() {
    let job = r#"
        name = "ranges"
        [clients]
        count = 5
        [controller]
        kind = "fedavg"
        proximal_mu = -1.0
        sample = { size = 0 }
        optimizer = { kind = "fedavgm", beta = 1.0, eta = -1.0 }
        evaluate = { every = 0 }
        best = { metric = "accuracy" }
        [learner]
        kind = "softmax-regression"
        learning_rate = 0.0
        momentum = 1.0
        weight_decay = -0.5
        [[filters]]
        kind = "norm-clip"
        at = "reply_out"
        max_norm = 0.0
        [[filters]]
        kind = "exclude"
        at = "reply_out"
        tensors = []
        [data]
        path = "a.csv"
        format = "csv"
        label = "y"
        scale = 0.0
        classes = 0
        delimiter = "é"
        [data.partition]
        kind = "dirichlet"
        alpha = 0.0
        [faults]
        fail = { share = 2.0 }
        delay = { share = -1.0, seconds = [2.0, 1.0] }
    "#;
    refused(
        job,
        expect![[r#"
        job.toml: 16 faults
          controller.sample.size = 0: expected at least 1
          controller.proximal_mu = -1: expected a finite number of at least 0
          controller.optimizer.eta = -1: expected a finite number above 0
          controller.optimizer.beta = 1: expected at least 0 and below 1
          controller.evaluate.every = 0: expected at least 1, since `best` and `early_stopping` go by a metric
          learner.learning_rate = 0: expected a finite number above 0
          learner.momentum = 1: expected at least 0 and below 1
          learner.weight_decay = -0.5: expected a finite number of at least 0
          data.delimiter = 'é': expected one such as ',' ';' or '\t'
          data.classes = 0: expected 1 to 16777216
          data.scale = 0.0: expected a finite number other than 0, by which features can be divided
          data.partition.alpha = 0.0: expected a number from 1e-300 to 1e12
          filters[0].max_norm = 0: expected a finite number above 0
          filters[1].tensors = []: expected at least one pattern, or nothing would be left out
          faults.delay.share = -1.0: expected at least 0
          faults.fail.share = 2.0: expected at most 1"#]],
    );
}

/// What cannot be read, by its type or its name, hides nothing of what can.
#[test]
fn what_cannot_be_read_hides_no_range() {
    let job = r#"
        name = "both"
        [clients]
        count = 5
        [controller]
        kind = "fedavg"
        rounds = "many"
        round = 3
        proximal_mu = -1.0
        optimizer = { kind = "sgd" }
        keep_out = ["bias"]
        [controller.replies]
        deadline = -1.0
        min_replies = 9
        [learner]
        kind = "softmax-regression"
        batch_size = 0
        momentum = 1.0
        [data]
        path = "a.csv"
        format = "csv"
        label = 3
        scale = 0.0
        [data.partition]
        kind = "dirichlet"
        alpha = 0.0
        min_size = -1
        [[filters]]
        kind = "norm-clip"
        at = "nowhere"
        max_norm = -1.0
        [faults]
        fail = { share = 2.0 }
        drop = 1
    "#;
    refused(
        job,
        expect![[r#"
            job.toml: 16 faults
              controller.optimizer.kind = "sgd": expected "none" or "fedavgm" or "fedadagrad" or "fedadam" or "fedyogi"
              controller.rounds = "many": expected a whole number
              controller.round = 3: expected one of the fields best, early_stopping, evaluate, keep_out, kind, optimizer, proximal_mu, replies, rounds, sample, weighting
              controller.replies.deadline = -1: expected seconds of at least 0
              controller.proximal_mu = -1: expected a finite number of at least 0
              controller.replies.min_replies = 9: expected at most the 5 that are asked
              learner.batch_size = 0: expected at least 1
              learner.momentum = 1: expected at least 0 and below 1
              data.label = 3: expected a text
              data.partition.min_size = -1: expected at least 1
              data.scale = 0.0: expected a finite number other than 0, by which features can be divided
              data.partition.alpha = 0.0: expected a number from 1e-300 to 1e12
              filters[0].at = "nowhere": expected "task_out" or "task_in" or "reply_out" or "reply_in"
              filters[0].max_norm = -1: expected a finite number above 0
              faults.fail.share = 2.0: expected at most 1
              faults.drop = 1: expected one of the fields delay, drop_out, fail"#]],
    );
}

#[test]
fn what_is_missing_is_named() {
    refused(
        "",
        expect![[r#"
        job.toml: 4 faults
          name: missing, expected a text
          clients: missing, expected a table
          controller: missing, expected a table
          learner: missing, expected a table"#]],
    );
    refused(
        "name = 'a'\n[controller]\nrounds = 1",
        expect![[r#"
        job.toml: 3 faults
          clients: missing, expected a table
          controller.kind: missing, expected a text
          learner: missing, expected a table"#]],
    );
}

#[test]
fn data_are_checked_by_their_format() {
    let data = |text: &str| format!("{GOOD}\n[data]\n{text}");
    let csv = |text: &str| data(&format!("path = 'a.csv'\nformat = 'csv'\nlabel = 'y'\n{text}"));
    refused(
        &data("path = 'a.csv'"),
        expect![[r#"
        job.toml: 1 fault
          data.format: missing, expected one of csv, idx"#]],
    );
    refused(
        &data("path = 'a.csv'\nformat = 'parquet'"),
        expect![[r#"
        job.toml: 1 fault
          data.format = "parquet": expected one of csv, idx"#]],
    );
    refused(
        &data("path = 'a.csv'\nformat = 'csv'\nlabels = 'y'\nheld_out = -1"),
        expect![[r#"
        job.toml: 3 faults
          data.held_out = -1: expected at least 0
          data.label: missing, expected a text
          data.labels = "y": expected one of the fields classes, delimiter, exclude, features, format, held_out, label, partition, path, scale"#]],
    );
    refused(
        &csv("held_out = 1.5"),
        expect![[r#"
        job.toml: 1 fault
          data.held_out = 1.5: expected at most 1"#]],
    );
    refused(
        &csv("scale = 0.0\nclasses = 0"),
        expect![[r#"
            job.toml: 2 faults
              data.classes = 0: expected 1 to 16777216
              data.scale = 0.0: expected a finite number other than 0, by which features can be divided"#]],
    );
    refused(
        &csv("[data.partition]\nkind = 'dirichlet'"),
        expect![[r#"
        job.toml: 1 fault
          data.partition.alpha: missing, expected a number"#]],
    );
    refused(
        &csv("[data.partition]\nkind = 'dirichlet'\nalpha = 0"),
        expect![[r#"
            job.toml: 1 fault
              data.partition.alpha = 0.0: expected a number from 1e-300 to 1e12"#]],
    );
    refused(
        &csv("[data.partition]\nkind = 'fair'"),
        expect![[r#"
            job.toml: 1 fault
              data.partition.kind = "fair": expected "iid" or "dirichlet" or "shards" or "column""#]],
    );
    refused(
        &csv("scale = 0.0"),
        expect![[r#"
            job.toml: 1 fault
              data.scale = 0.0: expected a finite number other than 0, by which features can be divided"#]],
    );
    parse(&csv("held_out = 0.2")).unwrap();
}
