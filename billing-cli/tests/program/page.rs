//! Tests of the `--format html` page in headless Chromium: wide and narrow, light, dark and on paper.
//! Screenshots are kept in `target/tmp/pages`.

use std::path::{Path, PathBuf};

use crate::process::{program, stderr, stdout};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use billing_core::sandbox::{ORG_ID, Sandbox};
use billing_tests::Browser;
use billing_tests::raw_server::RawServer;
use serde_json::{Value, json};

/// The conditions under which a page is viewed.
struct View {
    name: &'static str,
    width: u32,
    media: &'static str,
    scheme: &'static str,
}

const VIEWS: [View; 5] = [
    View { name: "wide-light", width: 1280, media: "screen", scheme: "light" },
    // The smallest width of the wide layout.
    View { name: "middle-dark", width: 720, media: "screen", scheme: "dark" },
    View { name: "narrow-light", width: 360, media: "screen", scheme: "light" },
    View { name: "narrow-dark", width: 360, media: "screen", scheme: "dark" },
    // The width of A4 at 96 pixels per inch without margins, with a dark colour scheme.
    View { name: "paper", width: 1032, media: "print", scheme: "dark" },
];

#[test]
fn pages_hold_on_every_screen_and_on_paper() {
    let Some(browser) = Browser::start() else { return };
    let folder = folder();
    let sandbox = |line: &[&str]| {
        let output = program().arg("--sandbox").args(line).output().unwrap();
        assert!(output.status.success(), "{line:?}: {}", stderr(&output));
        stdout(&output)
    };
    let contracts: Value = serde_json::from_str(&sandbox(&["contracts", "--format", "json"])).unwrap();
    let contract = contracts[0]["id"].as_str().unwrap();
    let organizations: String =
        Sandbox::new(7).sample_trustors().map(|(id, name)| format!("{id},{name}\n")).collect();
    let file_of_organizations = folder.join("organizations.csv");
    std::fs::write(&file_of_organizations, organizations).unwrap();

    for (name, line) in [
        ("overview", vec!["overview", ORG_ID]),
        ("usage", vec!["usage", "--start", "2026-10-01", "--end", "2026-11-01"]),
        ("history", vec!["history", ORG_ID]),
        ("compare", vec!["compare", ORG_ID, "--periods", "0,1,12"]),
        ("fleet", vec!["fleet", "--orgs", file_of_organizations.to_str().unwrap()]),
        ("invoices", vec!["invoices"]),
        ("contract", vec!["contract", contract]),
    ] {
        let file = folder.join(name).with_extension("html");
        sandbox(&[&line[..], &["--format", "html", "-o", file.to_str().unwrap()]].concat());
        for view in &VIEWS {
            let seen = look(&browser, &file, view);
            let folds = ["history", "fleet"].contains(&name);
            assert_eq!(seen["folds"].as_u64() > Some(1), folds, "{name}: what is folded");
        }
    }
}

#[test]
fn hostile_text_is_text_and_odd_figures_stay_in_their_place() {
    let Some(browser) = Browser::start() else { return };
    let file = folder().join("hostile.html");
    let rows: Vec<Value> = ATTACKS
        .iter()
        .flat_map(|attack| {
            [("3", "1"), ("12345678901234567890123456", "7"), ("-5", "10"), ("n/a", "1"), ("0", "0")].map(
                |(used, committed)| {
                    json!({"name": attack, "partNumber": attack, "grouping": attack, "unitOfMeasureType": attack,
                        "usageQuantity": used, "prepayQuantity": committed, "prepayPrice": "1", "overagePrice": "0.0001",
                        "usageNotes": attack})
                },
            )
        })
        .collect();
    let overview = json!({"organization": {"id": ATTACKS[0], "name": ATTACKS[1]}, "currency": ATTACKS[2],
        "subscriptionType": ATTACKS[3], "minimumMonthlyAmount": ATTACKS[4], "usages": rows});
    let server = RawServer::start(move |_, wire| {
        let _ = wire.request();
        wire.respond(200, "", overview.to_string());
    });
    let url = format!("http://{}", server.address());
    let output = program()
        .env("GENESYSCLOUD_ACCESS_TOKEN", "token")
        .args(["--api-url", &url, "--login-url", &url, "--format", "html", "overview", ORG_ID, "-o"])
        .arg(&file)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    for view in &VIEWS {
        let seen = look(&browser, &file, view);
        let text = seen["text"].as_str().unwrap();
        for attack in ATTACKS {
            assert!(text.contains(attack), "{attack} is shown as it is: {text}");
        }
        assert_eq!(seen["intruders"], json!([]), "no element that is not the page's own");
    }
}

/// Loads a page, takes a screenshot, and returns the result of the script.
fn look(browser: &Browser, file: &Path, view: &View) -> Value {
    let what = format!("{} {}", file.display(), view.name);
    let metrics = json!({"width": view.width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
    browser.devtools("Emulation.setDeviceMetricsOverride", &metrics);
    let media =
        json!({"media": view.media, "features": [{"name": "prefers-color-scheme", "value": view.scheme}]});
    browser.devtools("Emulation.setEmulatedMedia", &media);
    browser.log("performance");
    browser.open(file);

    if view.media == "screen" {
        browser
            .script("document.querySelectorAll('details').forEach((fold, n) => { fold.open = n === 0; });");
    }
    let seen = browser.script(LOOK);
    let picture = browser.devtools("Page.captureScreenshot", &json!({"captureBeyondViewport": true}));
    let stem = file.file_stem().unwrap().to_str().unwrap();
    save(file, &format!("{stem}-{}.png", view.name), &picture);
    if view.media == "print" {
        let paper = json!({"preferCSSPageSize": true, "printBackground": false});
        save(file, &format!("{stem}.pdf"), &browser.devtools("Page.printToPDF", &paper));
    }

    assert_eq!(seen["styled"], true, "{what}: the policy lets the style in");
    assert!(seen["scrolls"].as_u64() <= Some(view.width.into()), "{what}: {} is too wide", seen["scrolls"]);
    assert_eq!(seen["folded"], json!([]), "{what}: what is folded up opens, and is open on paper");
    assert_eq!(seen["outside"], json!([]), "{what}: beyond the edge");
    assert_eq!(seen["overlaps"], json!([]), "{what}: words of a chart over each other");
    assert_eq!(seen["faint"], json!([]), "{what}: too little contrast");
    let dark = view.scheme == "dark" && view.media == "screen";
    assert_eq!(seen["dark"], dark, "{what}: the colours of the scheme, and those of paper on paper");
    assert_eq!(browser.log("browser"), Vec::<Value>::new(), "{what}: nothing on the console");
    let events = browser.log("performance");
    let asked: Vec<String> = events
        .iter()
        .filter_map(|entry| serde_json::from_str::<Value>(entry["message"].as_str()?).ok())
        .filter(|event| event["message"]["method"] == "Network.requestWillBeSent")
        .filter_map(|event| Some(event["message"]["params"]["request"]["url"].as_str()?.to_owned()))
        .collect();
    assert_eq!(asked, [format!("file://{}", file.display())], "{what}: it asks for itself and nothing else");
    seen
}

fn save(beside: &Path, name: &str, answer: &Value) {
    let bytes = STANDARD.decode(answer["data"].as_str().unwrap()).unwrap();
    std::fs::write(beside.with_file_name(name), bytes).unwrap();
}

fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

const ATTACKS: [&str; 5] = [
    "</script><img src=x onerror=alert(1)>",
    "\"><script>alert(1)</script>",
    "' onmouseover='alert(1) a name that is as long as no name of a product should be, and goes on and on",
    "</style><svg onload=alert(1)>",
    "</title><b>Größe & 漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字</b>",
];

/// The script that runs in the page.
const LOOK: &str = r#"
const shown = (e) => { const r = e.getBoundingClientRect(); return r.width > 0 && r.height > 0; };
const clipped = (e) => {
  // Content clipped by a frame or an inner svg is not on the page.
  const r = e.getBoundingClientRect();
  let [left, right, top, bottom] = [r.left, r.right, r.top, r.bottom];
  for (let p = e.parentElement; p; p = p.parentElement) {
    let c = null;
    if (p.matches('.frame') && getComputedStyle(p).overflowX !== 'visible') c = p.getBoundingClientRect();
    if (p.matches('svg svg')) {
      // The bounding box of an inner svg is that of its content.
      const [o, y] = [p.ownerSVGElement.getBoundingClientRect(), p.y.baseVal.value];
      c = { left: o.left, right: o.left + p.width.baseVal.value, top: o.top + y, bottom: o.top + y + p.height.baseVal.value };
    }
    if (c) {
      [left, right, top, bottom] =
        [Math.max(left, c.left), Math.min(right, c.right), Math.max(top, c.top), Math.min(bottom, c.bottom)];
    }
  }
  return { left, right, top, bottom };
};
const width = document.documentElement.clientWidth;
const named = (e) => e.tagName + ': ' + e.textContent.slice(0, 40);
const outside = [...document.querySelectorAll('body *')]
  .filter((e) => shown(e) && !e.matches('.unseen, title, desc, svg svg, g'))
  .filter((e) => { const c = clipped(e); return c.right > c.left && (c.right > width + 1 || c.left < -1); })
  .map(named);
const overlaps = [];
for (const svg of document.querySelectorAll('figure > svg')) {
  const boxes = [...svg.querySelectorAll('text')].filter(shown).map((e) => [e, clipped(e)]);
  boxes.forEach(([a, x], i) => boxes.slice(i + 1).forEach(([b, y]) => {
    const across = Math.min(x.right, y.right) - Math.max(x.left, y.left);
    const down = Math.min(x.bottom, y.bottom) - Math.max(x.top, y.top);
    if (across > 1 && down > 4) overlaps.push(named(a) + ' | ' + named(b));
  }));
}
const rgb = (c) => c.match(/[\d.]+/g).map(Number);
const light = (c) => rgb(c).slice(0, 3)
  .map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const behind = (e) => {
  for (let p = e; p; p = p.parentElement) {
    const color = getComputedStyle(p).backgroundColor;
    if ((rgb(color)[3] ?? 1) > 0) return color;
  }
  return 'rgb(255, 255, 255)';
};
const contrast = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
const wordy = [...document.querySelectorAll('body *')].filter(shown).filter((e) =>
  !e.matches('.unseen, title, desc') &&
  [...e.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.textContent.trim()));
const ink = (e) => { const s = getComputedStyle(e); return e.closest('svg') ? s.fill : s.color; };
const faint = wordy.filter((e) => contrast(ink(e), behind(e)) < 4.5).map(named);
const own = 'html head meta title style body header main section h1 h2 p dl div dt dd small ul li strong span figure ' +
  'figcaption details summary svg defs pattern rect g line text tspan desc table thead tbody tfoot tr th td';
const folds = [...document.querySelectorAll('details')];
const inside = (e) => [...e.querySelectorAll(':scope > :not(summary)')];
return {
  folds: folds.length,
  folded: folds.filter((e) => e.open || matchMedia('print').matches)
    .filter((e) => !inside(e).every((i) => shown(i) && i.checkVisibility())).map(named),
  scrolls: document.documentElement.scrollWidth,
  outside, overlaps, faint,
  styled: getComputedStyle(document.querySelector('h1')).marginTop === '0px',
  dark: light(getComputedStyle(document.body).backgroundColor) < 0.2,
  text: document.body.innerText,
  intruders: [...document.querySelectorAll('*')].filter((e) => !own.split(' ').includes(e.localName)).map(named),
};
"#;
