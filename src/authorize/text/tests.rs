use super::*;
use crate::{
    authorize::{AcceptedPath, ChangeVerb, Refusal},
    resource::Kind,
};

fn id(digit: u8) -> ObjectId {
    ObjectId::new([digit; 20])
}

fn change(path: &str, code: Option<Code>, message: &str) -> ChangeVerdict {
    ChangeVerdict {
        path: path.into(),
        kind: Some(Kind::App),
        name: Some("pay".into()),
        verb: Some(ChangeVerb::Update),
        verdict: if code.is_some() { Answer::Refused } else { Answer::Accepted },
        code,
        rule: code.map(|_| "role/b deny.rules[0]".into()),
        message: message.into(),
    }
}

fn sample() -> Report {
    let refused = CommitVerdict {
        id: id(0xab),
        signer: Some("bob".into()),
        verdict: CommitAnswer::Refused,
        changes: vec![
            change("apps/pay.yaml", Some(Code::DeniedByRule), "it is \u{1b}[31mdenied"),
            change("apps/it's.yaml", Some(Code::DeniedByRule), "denied too"),
        ],
    };
    let accepted = CommitVerdict {
        id: id(0x12),
        signer: Some("alice".into()),
        verdict: CommitAnswer::Accepted,
        changes: (0..5).map(|n| change(&format!("{n}.yaml"), None, "")).collect(),
    };
    let nothing =
        CommitVerdict { id: id(0x34), signer: None, verdict: CommitAnswer::NothingToDecide, changes: Vec::new() };
    let held = |path: &str, accepted_blob| HeldPath {
        path: path.into(),
        accepted_blob,
        head_blob: Some(id(2)),
        refused_commit: id(0xab),
        code: Some(Code::DeniedByRule),
    };
    let accepted_path = AcceptedPath { blob: Some(id(1)), commit: Some(id(0x12)) };
    Report {
        version: 1,
        base: id(0),
        head: id(9),
        outcome: Outcome::Partly,
        error: None,
        commits: vec![accepted, nothing, refused],
        accepted: [("apps/pay.yaml".into(), accepted_path)].into(),
        held: vec![held("apps/pay.yaml", Some(id(1))), held("apps/it's.yaml", None), held("b.yaml", Some(id(1)))],
        undecided: vec!["apps/c\u{202e}.yaml".into()],
        assumed_root: false,
    }
}

fn plain(shown: &Report) -> String {
    let said = |_| Some(Said { author: "Boss <boss@x>".into(), subject: "Pay \u{9b}more".into() });
    anstream::adapter::strip_str(&report(shown, said)).to_string()
}

#[test]
fn every_refusal_is_explained() {
    let (ab, b1) = ("ab".repeat(20), "01".repeat(20));
    assert_eq!(
        plain(&sample()),
        format!(
            "accepted  1212121212  alice: update of app pay in 0.yaml, update of app pay in 1.yaml, update of app pay in \
             2.yaml, 2 more
nothing to decide  3434343434  Pay \\u{{9b}}more
refused  {ab}  Pay \\u{{9b}}more
  author  Boss <boss@x>  (as the commit says)
  signer  bob
  apps/pay.yaml: update of app pay [denied-by-rule]
    it is \\u{{1b}}[31mdenied
    rule: role/b deny.rules[0]
  apps/it's.yaml: update of app pay [denied-by-rule]
    denied too
    rule: role/b deny.rules[0]
  next: have somebody make the change whom no rule denies it

Held: these stay as they were accepted, whatever the head has
  apps/pay.yaml  since ababababab [denied-by-rule]
    to restore: git restore --source 1212121212 -- apps/pay.yaml
    to accept:  somebody who may commits with the trailer `Vouch-For: {ab}`
  apps/it's.yaml  since ababababab [denied-by-rule]
    to restore: git rm -- 'apps/it'\\''s.yaml'
    to accept:  somebody who may commits with the trailer `Vouch-For: {ab}`
  b.yaml  since ababababab [denied-by-rule]
    to restore: git update-index --add --cacheinfo 100644,{b1},b.yaml && git checkout -- b.yaml
    to accept:  somebody who may commits with the trailer `Vouch-For: {ab}`

Undecided: merged sides disagree; what is applied stays until somebody who may change the file commits
the content that is meant
  apps/c\\u{{202e}}.yaml

3 commits, 1 accepted, 1 refused, 3 files held, 1 undecided
"
        )
    );
}

#[test]
fn a_head_that_cannot_be_judged() {
    let error = Some(Refusal { code: Code::Shallow, message: "fetch\u{7} more".into() });
    let shown = Report { error, outcome: Outcome::Refused, ..sample() };
    assert_eq!(plain(&shown), "refused [shallow] fetch\\u{7} more\n");
}

#[test]
fn what_commits_say() {
    let commit = b"tree x\nauthor A B <a@b> 1 +0000\ncommitter C <c@d> 1 +0000\n\n\nSubject\nauthor Z <z@z>\n";
    assert_eq!(Said::of(commit), Said { author: "A B <a@b>".into(), subject: "Subject".into() });
    assert_eq!(Said::of(b"\xff"), Said::default());
    let long = Said::of(format!("author {}\n\n{}", "ä".repeat(300), "b".repeat(300)).as_bytes());
    assert_eq!((long.author.chars().count(), long.subject.chars().count()), (SHOWN + 1, SHOWN + 1));
}
