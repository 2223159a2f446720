//! What keeps a file or folder from being read.

use super::{Explanation, Language};

pub(super) const UNREADABLE: Explanation = Explanation {
    summary: "The file or folder cannot be read",
    why: "What a source cannot read it does not know: the resources that were in the file last stay in force until it can be \
          read again. Usually the user that mcpfleet runs as lacks the permission. A file that is written to all the time \
          cannot be read either: write it elsewhere and rename it.",
    language: Language::Sh,
    wrong: "touch web.yaml\nchmod 000 web.yaml\n",
    right: "touch web.yaml\nchmod 644 web.yaml\n",
};

pub(super) const FILE_TOO_LARGE: Explanation = Explanation {
    summary: "The file is larger than a resource file may be, which is 1 MiB",
    why: "Nobody reviews such a file, and reading it costs everybody. Split it into files of one or a few resources each, or \
          leave it out with `--ignore` if it has no resources.",
    language: Language::Sh,
    wrong: "yes '# not a resource' | head -c 2M >all.yaml\n",
    right: "yes '# not a resource' | head -n 1000 >all.yaml\n",
};

pub(super) const SPECIAL_FILE: Explanation = Explanation {
    summary: "A FIFO, socket or device stands where a file is expected",
    why: "Reading one could wait forever, or say something else every time. Resources are in regular files.",
    language: Language::Sh,
    wrong: "mkfifo web.yaml\n",
    right: "touch web.yaml\n",
};

pub(super) const FILE_NAME: Explanation = Explanation {
    summary: "The name of the file or folder is not UTF-8",
    why: "Paths are shown, compared and matched with globs as text. A name that is none would be shown as another than it \
          is: rename it.",
    language: Language::Sh,
    wrong: "touch \"$(printf 'caf\\351.yaml')\"\n",
    right: "touch cafe.yaml\n",
};

pub(super) const TOO_DEEP: Explanation = Explanation {
    summary: "The folder is nested deeper than is read, which is 64 folders",
    why: "Nobody has such a tree on purpose; it comes from a link or a mount that leads back into it. Move the folder up, or \
          leave it out with `--ignore`.",
    language: Language::Sh,
    wrong: "mkdir -p \"$(seq -s / 70)\"\n",
    right: "mkdir -p \"$(seq -s / 7)\"\n",
};

pub(super) const SYMLINK_ESCAPES: Explanation = Explanation {
    summary: "The symlink leads out of the source",
    why: "A source is what was reviewed and what is watched. A link out of it would let whoever may write here have any file \
          of the host read, and nobody would notice when that file changes. Copy what the link leads to.",
    language: Language::Sh,
    wrong: "ln -s /etc/hostname web.yaml\n",
    right: "mkdir shared\ntouch shared/web.yaml\nln -s shared/web.yaml web.yaml\n",
};

pub(super) const SYMLINK_DANGLING: Explanation = Explanation {
    summary: "The symlink leads to something that does not exist",
    why: "What was there may come back in a moment, so the resources that it had stay in force. Correct the link, or remove \
          it if they are to go.",
    language: Language::Sh,
    wrong: "ln -s shard/web.yaml web.yaml\n",
    right: "mkdir shared\ntouch shared/web.yaml\nln -s shared/web.yaml web.yaml\n",
};

pub(super) const SYMLINK_LOOP: Explanation = Explanation {
    summary: "The symlink leads back to where it came from",
    why: "There is no end to follow it to. Remove it, or let it lead to a file.",
    language: Language::Sh,
    wrong: "mkdir apps\nln -s ../apps apps/again\n",
    right: "mkdir apps shared\nln -s ../shared apps/shared\n",
};
