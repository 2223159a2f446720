//! What the codes of verdicts mean, for `mcpfleet explain`.
//!
//! The examples are commands in a clone whose first commit is `$ROOT`, the root of trust: `alice` is an administrator,
//! `bob` may change apps labelled `team: a`, of which `apps/pay.yaml` is one, and delete none. Commits are signed with
//! bob's key unless it is said otherwise. A test runs them all.

use super::Code;
use crate::manifest::explain::{Explanation, Language};

/// Bob's change of an app that he may change.
macro_rules! change {
    ($after:literal) => {
        concat!("sed -i s/one/two/ apps/pay.yaml\n", $after)
    };
}

/// Two changes of one app by alice, on two branches.
macro_rules! sides {
    ($after:literal) => {
        concat!(
            "git config user.signingkey '~/.ssh/alice.pub'\ngit checkout -q -b side\nsed -i s/one/two/ \
             apps/search.yaml\ngit commit -q -am Two\ngit checkout -q main\nsed -i s/one/three/ apps/search.yaml\ngit \
             commit -q -am Three\n",
            $after
        )
    };
}

const fn explained(summary: &'static str, why: &'static str, wrong: &'static str, right: &'static str) -> Explanation {
    Explanation { summary, why, language: Language::Sh, wrong, right }
}

/// Explains a code.
pub fn explain(code: Code) -> Explanation {
    match code {
        Code::Unsigned => explained(
            "The commit has no signature, and its change needs one",
            "Author, e-mail and date of a commit are text that anybody can write. Only a signature says who made it.",
            change!("git commit -q --no-gpg-sign -am 'Pay two'\n"),
            change!("git commit -q -S -am 'Pay two'\n"),
        ),
        Code::BadSignature => explained(
            "The signature does not fit the commit, or is of a kind that proves nothing",
            "The commit was changed after it was signed, or the signature was taken from another one. Sign it again: `git \
             commit --amend -S`, or `git rebase --exec 'git commit --amend --no-edit -S'` for several.",
            change!(
                "git commit -q -am 'Pay two'\ngit reset -q --hard $(git cat-file commit HEAD | sed 's/Pay two/Pay more/' \
                 |\n  git hash-object -t commit -w --stdin)\n"
            ),
            change!("git commit -q -am 'Pay two'\ngit commit -q --amend -S -m 'Pay more'\n"),
        ),
        Code::SeveralSignatures => explained(
            "The commit has more than one signature, and it is not clear which counts",
            "Tools differ in which they check, so a second one could be a stranger's. Sign the commit once.",
            change!(
                "git commit -q -am 'Pay two'\ngit cat-file commit HEAD >signed\ngit reset -q --hard $({ sed '/^$/,$d' \
                 signed; sed -n '/^gpgsig/,/END/p' signed; sed -n '/^$/,$p' signed; } |\n  git hash-object -t commit -w \
                 --stdin)\n"
            ),
            change!("git commit -q -am 'Pay two'\n"),
        ),
        Code::UnknownKey => explained(
            "The key that signed the commit belongs to no user",
            "A key counts from the commit on that adds it to a user's `spec.git.signing_keys`, and until the one that removes \
             it. Have it added, or sign with one that is.",
            change!(
                "ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/new\ngit -c user.signingkey='~/.ssh/new.pub' commit -q -am 'Pay \
                 two'\n"
            ),
            change!("git -c user.signingkey='~/.ssh/bob.pub' commit -q -am 'Pay two'\n"),
        ),
        Code::DeniedKey => explained(
            "The agent's configuration, or an override on its host, denies the key",
            "A key that was lost is denied there at once, whatever the repository says. Sign with another key.",
            change!(
                "git commit -q -am 'Pay two'\necho \"authorization: {denied_keys: ['$(cat ~/.ssh/bob.pub)']}\" \
                 >config\nmcpfleet authorize --root $ROOT --base $ROOT --config ./config\n"
            ),
            change!(
                "git -c user.signingkey='~/.ssh/alice.pub' commit -q -am 'Pay two'\necho \"authorization: {denied_keys: \
                 ['$(cat ~/.ssh/bob.pub)']}\" >config\nmcpfleet authorize --root $ROOT --base $ROOT --config ./config\n"
            ),
        ),
        Code::AmbiguousUser => explained(
            "Two users claim the key or the e-mail",
            "Nobody can tell whose commit it is, so it is nobody's. An administrator takes the key or e-mail from all users \
             but one.",
            "sed 's/name: bob/name: carol/' users/bob.yaml >users/carol.yaml\ngit add users\ngit commit -q -m 'Start \
             again'\nROOT=$(git rev-parse HEAD)\nsed -i s/one/two/ apps/pay.yaml\ngit commit -q -am 'Pay two'\nmcpfleet \
             authorize --root $ROOT --base $ROOT\n",
            change!("git commit -q -am 'Pay two'\n"),
        ),
        Code::NotAllowed => explained(
            "No rule of the user's roles allows the change",
            "A rule must allow the app as it was and as it becomes, with its labels and path. What counts are the roles before \
             the commit: a role that is given in the same commit counts from the next one on.",
            "sed -i s/one/two/ apps/search.yaml\ngit commit -q -am 'Search two'\n",
            change!("git commit -q -am 'Pay two'\n"),
        ),
        Code::DeniedByRule => explained(
            "A rule of the user's roles denies the change",
            "A rule that denies wins over all that allow. Have somebody make the change whom no rule denies it.",
            "git rm -q apps/pay.yaml\ngit commit -q -m 'No more pay'\n",
            change!("git commit -q -am 'Pay two'\n"),
        ),
        Code::UnknownAuthor => explained(
            "The author's e-mail belongs to no user",
            "With `identity: author`, or for a commit that a forge has signed, the author's e-mail says whose it is. It must be \
             one of a user's `spec.git.emails`.",
            change!(
                "git commit -q --author 'Eve <eve@example.com>' -am 'Pay two'\necho 'authorization: {identity: author}' \
                 >config\nmcpfleet authorize --root $ROOT --base $ROOT --config ./config\n"
            ),
            change!(
                "git commit -q --author 'Bob <bob@example.com>' -am 'Pay two'\necho 'authorization: {identity: author}' \
                 >config\nmcpfleet authorize --root $ROOT --base $ROOT --config ./config\n"
            ),
        ),
        Code::InvalidResource => explained(
            "The file, or the policy that would result, is not valid",
            "What cannot be read cannot be judged. `mcpfleet validate` shows what is wrong.",
            "sed -i s/command:/comand:/ apps/pay.yaml\ngit commit -q -am 'Pay two'\n",
            change!("git commit -q -am 'Pay two'\n"),
        ),
        Code::DuplicateName => explained(
            "Another file defines a resource of the same kind and name",
            "Otherwise a file of one's own would replace somebody else's app. Choose another name, or change the file that has \
             it.",
            "cp apps/pay.yaml apps/pay-more.yaml\ngit add apps\ngit commit -q -m 'Pay more'\n",
            "sed 's/name: pay/name: pay-more/' apps/pay.yaml >apps/pay-more.yaml\ngit add apps\ngit commit -q -m 'Pay \
             more'\n",
        ),
        Code::ForbiddenEntry => explained(
            "A symlink, submodule, LFS pointer or the like stands where a resource file is expected",
            "What it leads to is not part of the commit, so nobody has signed it. Commit a plain file.",
            "ln -s pay.yaml apps/link.yaml\ngit add apps\ngit commit -q -m Link\n",
            "sed 's/name: pay/name: copy/' apps/pay.yaml >apps/copy.yaml\ngit add apps\ngit commit -q -m Copy\n",
        ),
        Code::HeldUnderneath => explained(
            "The change builds on content that was refused, and the commit does not vouch for it",
            "Otherwise a refused change would take effect with the next signature over the same file. Restore the accepted \
             content first; or, if you may make the whole change yourself, say so with `Vouch-For:` and the refused commit.",
            change!(
                "git commit -q --no-gpg-sign -am 'Pay two'\nsed -i s/two/three/ apps/pay.yaml\ngit commit -q -am 'Pay \
                 three'\n"
            ),
            change!(
                "git commit -q --no-gpg-sign -am 'Pay two'\nsed -i s/two/three/ apps/pay.yaml\ngit commit -q -am 'Pay three' \
                 -m \"Vouch-For: $(git rev-parse HEAD)\"\n"
            ),
        ),
        Code::ContestedMerge => explained(
            "The sides of a merge disagree about the file, and whoever merged them has no right to decide",
            "Choosing one of two accepted contents is a change of the file like any other. Somebody merges who may change it.",
            sides!("git config user.signingkey '~/.ssh/bob.pub'\ngit merge -q -X theirs -m Merge side\n"),
            sides!("git merge -q -X theirs -m Merge side\n"),
        ),
        Code::PolicyLockout => explained(
            "Nobody would be left who could change roles",
            "There would be no way back but a new root of trust. Leave at least one user with a role that may create and update \
             roles.",
            "sed -i 's/roles: .*/roles: []/' users/alice.yaml\ngit -c user.signingkey='~/.ssh/alice.pub' commit -q -am \
             'Resign'\n",
            "sed -i 's/roles: .*/roles: [admin]/' users/bob.yaml\ngit -c user.signingkey='~/.ssh/alice.pub' commit -q -am \
             'Promote bob'\n",
        ),
        Code::RootKeyRequired => explained(
            "Changes of policy must be signed with a root key",
            "With `root_keys` configured, roles and users change only by commits that one of these keys has signed, besides \
             what the roles say.",
            "sed -i 's/roles: .*/roles: [admin]/' users/bob.yaml\ngit -c user.signingkey='~/.ssh/alice.pub' commit -q -am \
             'Promote bob'\necho \"authorization: {root_keys: ['$(cat ~/.ssh/safe.pub)']}\" >config\nmcpfleet authorize \
             --root $ROOT --base $ROOT --config ./config\n",
            "sed -i 's/roles: .*/roles: [admin]/' users/bob.yaml\ngit -c user.signingkey='~/.ssh/safe.pub' commit -q -am \
             'Promote bob'\necho \"authorization: {root_keys: ['$(cat ~/.ssh/safe.pub)']}\" >config\nmcpfleet authorize \
             --root $ROOT --base $ROOT --config ./config\n",
        ),
        Code::HistoryRewritten => explained(
            "The head does not descend from the trusted base",
            "A forced push, a rewind or another repository could bring back what was revoked, so nothing moves. Push the \
             history that was there, and changes on top of it.",
            change!(
                "git commit -q -am 'Pay two'\nBASE=$(git rev-parse HEAD)\ngit commit -q --amend -m 'Pay twice'\nmcpfleet \
                 authorize --base $BASE\n"
            ),
            change!(
                "git commit -q -am 'Pay two'\nBASE=$(git rev-parse HEAD)\ngit commit -q --allow-empty -m 'Nothing'\nmcpfleet \
                 authorize --base $BASE\n"
            ),
        ),
        Code::Shallow => explained(
            "The history between base and head is not all there",
            "Commits that are not there cannot be judged. Fetch everything: `git fetch --unshallow`, or `fetch-depth: 0` in \
             GitHub Actions and `GIT_DEPTH: 0` in GitLab.",
            change!(
                "git commit -q -am 'Pay two'\ngit clone -q --depth 1 \"file://$PWD\" clone\nmcpfleet authorize --repo clone \
                 --root $ROOT --base $ROOT\n"
            ),
            change!(
                "git commit -q -am 'Pay two'\ngit clone -q \"file://$PWD\" clone\nmcpfleet authorize --repo clone --root \
                 $ROOT --base $ROOT\n"
            ),
        ),
        Code::Limit => explained(
            "There is more of something than is judged at a time",
            "The bounds keep a push from occupying the agent for hours. The message says which it is; `max_commits` is a \
             setting, the others are not.",
            change!(
                "git commit -q -am 'Pay two'\ngit commit -q --allow-empty -m Nothing\necho 'authorization: {max_commits: 1}' \
                 >config\nmcpfleet authorize --root $ROOT --base $ROOT --config ./config\n"
            ),
            change!(
                "git commit -q -am 'Pay two'\ngit commit -q --allow-empty -m Nothing\necho 'authorization: {max_commits: 9}' \
                 >config\nmcpfleet authorize --root $ROOT --base $ROOT --config ./config\n"
            ),
        ),
    }
}
