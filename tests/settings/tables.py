# SPDX-License-Identifier: MIT
"""core/settings.def is the only place of a setting's facts: what repeats them is made from it."""

import os
import re
import shutil
import subprocess
import sys
import tempfile

from harness import run_tests, test

GENERATOR, SOURCES, CORE, *COMPILER = [word for word in sys.argv[1:] if word[:7] != "--only="]
PAGES = ("docs/settings.md", "docs/libwsrx.7", "docs/wsrx/wsrx-run.1", "docs/wsrx/wsrx-stat.1",
         "docs/wsrx/wsrx-trace.1")
COMPLETIONS = ("tools/completion/wsrx.bash.in", "tools/completion/wsrx.zsh.in")
PARSER = ("core/settings.c", "core/settings.h", "tools/program/setting_options.c",
          "tools/program/setting_options.h")

# One of words, with an option everywhere; a size, for run only, that needs a ring.
ROWS = """
#define SAMPLE_WORDS(WORD)                                                    \\
    WORD(false, "quiet", "no line of its own")                                \\
    WORD(true, "loud", "a line for each \\"EMSGSIZE\\"")
SETTING(WSRX_SAMPLE, bool, sample, switch, WORDS(SAMPLE_WORDS), "quiet", NO_TRACE,
        "how samples "
        "are taken")
OPTION(WSRX_SAMPLE, "sample", 'S', "HOW", ALL)
SETTING(WSRX_SPARE, size_t, spare, size, SIZE("1K", "3K"), "2K", RING_TRACE,
        "what is kept in reserve")
OPTION(WSRX_SPARE, "spare", 0, "SIZE", RUN)
"""

def run(*argv, wanted=0, **more):
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=100, **more)
    assert done.returncode == wanted, (argv, done.returncode, done.stdout, done.stderr)
    return done


def generate(*options, wanted=0):
    return run(sys.executable, "-B", GENERATOR, *options, wanted=wanted).stdout


def text_of(top, name):
    with open(os.path.join(top, name), encoding="utf-8") as file:
        return file.read()


def change(top, name, before, after):
    text = text_of(top, name)
    assert text.count(before) == 1, (name, before)
    with open(os.path.join(top, name), "w", encoding="utf-8") as file:
        file.write(text.replace(before, after))


class Copy:
    """A source tree with what repeats the settings."""

    def __enter__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="wsrx-test-")
        top = self.directory.name
        for name in ("core/settings.def", *PAGES, *COMPLETIONS, *PARSER):
            os.makedirs(os.path.dirname(os.path.join(top, name)), exist_ok=True)
            shutil.copy(os.path.join(SOURCES, name), os.path.join(top, name))
        return top

    def __exit__(self, *_):
        self.directory.cleanup()


@test
def the_pages_are_as_the_list_has_them():
    """Else: run scripts/settings-tables, and commit what it has changed."""
    generate("--check")
    for page in PAGES:
        assert "BEGIN settings" in text_of(SOURCES, page), page


@test
def a_page_that_was_changed_by_hand_is_seen_and_put_right():
    for page, before, after in (
            ("docs/settings.md", "| `continue` |", "| `observe` |"),
            ("docs/libwsrx.7", "\n.It Cm jsonl\n", "\n.It Cm json\n"),
            ("docs/wsrx/wsrx-run.1", " Fl Fl calls ", " Fl Fl call "),
            ("docs/wsrx/wsrx-stat.1", "\n.Fl Fl tail ,\n", "\n.Fl Fl tale ,\n"),
            ("docs/wsrx/wsrx-trace.1", "\n.Fl Fl hold-max ,\n", "\n")):
        with Copy() as top:
            change(top, page, before, after)
            assert page in generate("--check", "--top", top, wanted=1)
            assert after in text_of(top, page), "--check has written"
            generate("--top", top)
            assert text_of(top, page) == text_of(SOURCES, page), page


@test
def what_is_outside_of_the_regions_is_kept():
    with Copy() as top:
        change(top, "docs/settings.md", "## The table\n", "## The settings\n\nWritten by hand.\n")
        assert generate("--check", "--top", top) == ""


@test
def a_row_more_is_on_every_page():
    with Copy() as top:
        change(top, "core/settings.def", "\n#undef SETTING\n", ROWS + "\n#undef SETTING\n")
        listed = set(generate("--check", "--top", top, wanted=1).split())
        assert set(PAGES) <= listed, listed
        generate("--top", top)
        table, manual, options, stat, trace = (text_of(top, page) for page in PAGES)
        assert '| `WSRX_SAMPLE` | How samples are taken. `quiet`: no line of its own; `loud`: ' \
            'a line for each "`EMSGSIZE`" | `quiet` |\n' in table, table
        assert "| `WSRX_SPARE` | What is kept in reserve: a size in bytes from 1K to 3K, with K, " \
            "M or G | `2K` |\n" in table
        assert re.search(r"\.It Ev WSRX_SAMPLE\nHow samples are taken\.\n(.+\n)+?"
                         r"\.It Cm quiet\nNo line of its own \(default\)\.\n\.It Cm loud\n", manual)
        assert re.search(r"\.It Ev WSRX_SPARE\nWhat .+\nDefault: 2K\.\n", manual)
        assert ".It Fl S Ar how , Fl Fl sample Ns = Ns Ar how\n.Ev WSRX_SAMPLE :\n" \
            "how samples are taken: quiet or loud.\n" in options
        assert ".It Fl Fl spare Ns = Ns Ar size\n.Ev WSRX_SPARE :\n" in options
        for page in (stat, trace):
            assert "\nand\n.Fl S Ns / Ns Fl Fl sample .\n" in page
            assert ".Fl Fl trace-file\nand\n.Fl Fl spare\n" in page


@test
def a_row_more_is_completed_by_the_shells():
    with Copy() as top:
        change(top, "core/settings.def", "\n#undef SETTING\n", ROWS + "\n#undef SETTING\n")
        bash, zsh = (generate("--fill", os.path.join(top, name), "--top", top)
                     for name in COMPLETIONS)
    assert '    --sample | -S) _wsrx_words "quiet loud" "$2" ;;\n' in bash, bash
    assert "    --spare) COMPREPLY=() ;;\n" in bash, bash
    assert "    *:(--sample|-S)) compadd quiet loud; return ;;\n" in zsh, zsh
    assert "    *:--spare) return ;;\n" in zsh, zsh


@test
def a_row_more_is_read_by_the_library_and_taken_by_the_command():
    with Copy() as top:
        change(top, "core/settings.def", "\n#undef SETTING\n", ROWS + "\n#undef SETTING\n")
        program = os.path.join(top, "sample")
        run(*COMPILER, "-std=gnu11", "-D_FILE_OFFSET_BITS=64", f"-I{top}/tools", f"-I{top}/core",
            f"-I{SOURCES}/tools", f"-I{SOURCES}/core", "-o", program,
            os.path.join(SOURCES, "tests/settings/sample.c"), f"{top}/core/settings.c",
            f"{top}/tools/program/setting_options.c",
            os.path.join(SOURCES, "tools/util/suggest.c"), CORE, "-pthread")

        def printed(*environment):
            done = run(program, env=dict(entry.split("=", 1) for entry in environment))
            return done.stdout, re.sub(r"libwsrx\[\d+\]: ", "", done.stderr)

        out, err = printed()
        assert out.startswith("0 bad, sample 0, spare 2048\n") and err == "", (out, err)
        for of in ("run", "trace"):
            assert f"\n{of}: -S --sample=HOW  how samples are taken: quiet or loud\n" in out, out
        assert "\nrun: -  --spare=SIZE  what is kept in reserve: a size in bytes from 1K to 3K, " \
            in out, out
        assert "trace: -  --spare" not in out, out
        assert "\nWSRX_SAMPLE=quiet\n    how samples are taken\n" \
            "    values: quiet or loud; default: quiet\n" in out, out
        out, err = printed("WSRX_SAMPLE=loud", "WSRX_SPARE=3K", "WSRX_TRACE=ring")
        assert out.startswith("0 bad, sample 1, spare 3072\n") and err == "", (out, err)
        out, err = printed("WSRX_SAMPLE=silent", "WSRX_SPARE=4K")
        assert out.startswith("2 bad, sample 0, spare 2048\n"), out
        assert err == 'WSRX_SAMPLE="silent": expected quiet or loud; using the default, quiet\n' \
            'WSRX_SPARE="4K": expected a size in bytes from 1K to 3K, with K, M or G; ' \
            'using the default, 2K\n', err
        out, err = printed("WSRX_SPARE=1K")
        assert err == 'WSRX_SPARE="1K" has no effect without WSRX_TRACE=ring\n', err


sys.exit(run_tests(lambda function: function()))
