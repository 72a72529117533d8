//! Pages are read as a browser would: by their tags and what they could load.

use super::*;

fn round(number: u64) -> Round {
    Round {
        round: number,
        seconds: 0.012,
        bytes: 26_000,
        asked: 10,
        counted: 9,
        metrics: [("accuracy".into(), 0.9), ("loss".into(), 0.4)].into(),
        clients: [("accuracy".into(), spread(0.5))].into(),
    }
}

/// A spread that begins here, in steps of an eighth.
fn spread(min: f64) -> Spread {
    Spread { min, lower: min + 0.125, median: min + 0.25, upper: min + 0.375, max: min + 0.5 }
}

fn report(rounds: u64) -> Report {
    Report {
        job: "digits".into(),
        seed: 7,
        clients: 10,
        exact: true,
        finished: true,
        figures: vec![("accuracy of the federation".into(), "94.2 %".into())],
        rounds: (1..=rounds).map(round).collect(),
        receipt: "{\n  \"job\": \"digits\"\n}".into(),
    }
}

/// The names of the elements; panics where they are not nested, or an attribute is not quoted.
fn elements(page: &str) -> Vec<String> {
    let void = ["!doctype", "meta", "br"];
    let mut open: Vec<String> = Vec::new();
    let mut all = Vec::new();
    for part in page.split('<').skip(1) {
        let (tag, _) = part.split_once('>').expect("a tag that ends");
        let name: String = tag.chars().take_while(|c| !c.is_whitespace() && *c != '/').collect();
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        if let Some(closed) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(closed), "closed after {all:?}");
        } else {
            if !tag.ends_with('/') && !void.contains(&name.as_str()) {
                open.push(name.clone());
            }
            all.push(name);
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
    all
}

/// Fails where a page could load or run something, or has other elements than ours.
fn check_harmless(page: &str) {
    let ours = [
        "!doctype",
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "main",
        "header",
        "h1",
        "p",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "section",
        "figure",
        "figcaption",
        "span",
        "i",
        "svg",
        "g",
        "path",
        "circle",
        "rect",
        "text",
        "details",
        "summary",
        "div",
        "pre",
        "br",
        "small",
    ];
    for element in elements(page) {
        assert!(ours.contains(&element.as_str()), "<{element}>");
    }
    for loads in ["://", "src=", "href=", "url(", "@import", "javascript:"] {
        assert!(!page.contains(loads), "{loads}");
    }
    assert!(page.chars().all(|c| c == '\n' || !c.is_control()), "a control character");
}

#[test]
fn a_page_loads_nothing_and_is_well_formed() {
    for rounds in [0, 1, 2, 3, 100] {
        check_harmless(&render(&report(rounds)));
    }
    check_harmless(&render(&Report::default()));
}

#[test]
fn names_from_strangers_bring_no_markup_and_no_control_characters() {
    let hostile = "<script src=//a>\"'&</title>\u{1b}[2J\u{202e}\n";
    let mut wild = report(3);
    wild.job = hostile.into();
    wild.figures = vec![(hostile.into(), hostile.into())];
    wild.receipt = hostile.into();
    for round in &mut wild.rounds {
        round.metrics.insert(hostile.into(), 1.0);
        round.clients.insert(hostile.into(), spread(0.0));
    }
    let page = render(&wild).replace("src=//a", "");
    check_harmless(&page);
    assert_eq!(elements(&page).iter().filter(|element| *element == "title").count(), 1 + 3 * 5);
    assert!(page.contains(r"&lt;script &gt;&quot;&#39;&amp;&lt;/title&gt;\u{1b}[2J\u{202e}"));
}

#[test]
fn curves_are_where_their_values_are() {
    let mut two = report(2);
    two.rounds[0].metrics = BTreeMap::from([("accuracy".into(), 0.0)]);
    two.rounds[1].metrics = BTreeMap::from([("accuracy".into(), 1.0)]);
    for round in &mut two.rounds {
        round.clients.clear();
    }
    let page = render(&two);
    // From the lower left corner of the drawing to the upper right one.
    assert!(page.contains("<path class=\"first\" d=\"M64.0 230.0L626.0 10.0\"/>"), "{page}");
    assert!(page.contains("<title>round 2; model: 100.0 %</title>"), "{page}");
    assert!(!page.contains("<path class=\"band\""), "no clients, no band");
}

#[test]
fn a_band_spans_the_clients_and_its_middle_half() {
    let mut two = report(2);
    for round in &mut two.rounds {
        round.metrics.clear();
        let spread = Spread { min: 0.0, lower: 0.25, median: 0.5, upper: 0.75, max: 1.0 };
        round.clients = BTreeMap::from([("accuracy".into(), spread)]);
    }
    let page = render(&two);
    let band = |edges: &str| format!("<path class=\"band\" d=\"{edges}\"/>");
    assert!(page.contains(&band("M64.0 10.0L626.0 10.0L626.0 230.0L64.0 230.0Z")), "{page}");
    assert!(page.contains(&band("M64.0 65.0L626.0 65.0L626.0 175.0L64.0 175.0Z")), "{page}");
}

#[test]
fn values_that_are_no_numbers_are_gaps() {
    let mut odd = report(5);
    odd.rounds[1].metrics.insert("loss".into(), f64::NAN);
    odd.rounds[2].metrics.clear();
    odd.rounds[3].clients.insert("loss".into(), spread(f64::INFINITY));
    odd.rounds[4].seconds = f64::NAN;
    let page = render(&odd);
    check_harmless(&page);
    let drawing: String = page.split("<svg").skip(1).collect();
    assert!(!drawing.contains("dNaN") && !drawing.contains("LNaN") && !drawing.contains("Minf"));
}

#[test]
fn a_long_run_gives_a_short_page_with_its_last_round() {
    let page = render(&report(10_000));
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
    assert!(page.contains("501 of 10000 rounds are shown"), "it says what it leaves out");
    assert!(page.contains("<th scope=\"row\">10000</th>"));
}
