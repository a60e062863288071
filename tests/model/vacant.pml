/* SPDX-License-Identifier: MIT
 *
 * Vacant slots (core/table/vacant.h): tails that are held, and taken to their end, without the mutex; for
 * spin, which tries every order of the steps.
 *
 * One socket, three slots. Two threads, or a thread and its handler, hold a message each and take what
 * is there, without the mutex where they can. A third one takes the mutex once: OTHER=1 makes the lists
 * and the count anew, OTHER=2 shares the table, from when on nothing is done without the mutex, OTHER=3
 * drops the first message. Shown:
 *   - what a take that succeeds has copied is the message's own;
 *   - every message is taken once; nobody waits for ever;
 *   - at the end nothing is counted as held, and no page is taken but those of vacant slots.
 *
 * Not here: memory order (each step is seen at once by all), chains, deaths (the table is of one
 * process), jumps out of a handler.
 * With BROKEN=1 (and OTHER=3) a claim is no new generation, with BROKEN=2 a claim is published without a
 * look whether it was revoked, with BROKEN=3 nobody counts anew what another has counted anew meanwhile,
 * with BROKEN=4 a revoked slot is free at once: each must be found.
 */
#ifndef BROKEN
#define BROKEN 0
#endif
#ifndef OTHER
#define OTHER 1
#endif
#define LENGTH  1
#define VACANT  5
#define CLAIMED 6
#define REVOKED 7
#define OF(generation, offset) ((generation) * 8 + (offset))
#define GENERATION(state)      ((state) / 8)
#define OFFSET(state)          ((state) % 8)
#define SLOTS 3
#define NONE  SLOTS /* of slots */

byte lock, used, first = NONE;
/* `version` and `recounts`, as each thread sees them: whether the number that it has read was even, and is
 * still the same. Numbers would be other states on each way to the same one. */
bool changing, same_version[3], recounting, same_recounts[3];
byte state[SLOTS + 1], next[SLOTS + 1];
bool page_used[SLOTS + 1];
byte page[SLOTS + 1], number[SLOTS + 1];
bool shared;
byte taken[3], held, ended;

inline lock_it()
{
    atomic {
        lock == 0;
        lock = 1;
        changing = true;
        same_version[1] = false;
        same_version[2] = false
    }
}

inline unlock()
{
    atomic { changing = false; lock = 0 }
}

/* links_find_held() */
inline find_held()
{
    do
    :: first == NONE -> break
    :: else ->
        atomic {
            was = OFFSET(state[first]);
            if
            :: was == VACANT -> state[first] = OF(GENERATION(state[first]), LENGTH)
            :: was == CLAIMED -> state[first] = OF(GENERATION(state[first]), REVOKED)
            :: else
            fi
        };
        if
        :: was == VACANT -> page_used[first] = false
        :: was == CLAIMED && BROKEN == 4 -> page_used[first] = false
        :: was != VACANT && was != CLAIMED -> break
        :: else
        fi;
        first = next[first]
    od
}

/* links_rebuild(). What is behind the first message is left in its place. */
inline rebuild()
{
    atomic { recounting = true; same_recounts[1] = false; same_recounts[2] = false };
    find_held();
    count = 0;
    each = first;
    do
    :: each == NONE -> break
    :: else ->
        atomic {
            if
            :: OFFSET(state[each]) < LENGTH -> count++
            :: else
            fi;
            each = next[each]
        }
    od;
    used = count;
    recounting = false
}

inline count_end()
{
    if
    :: !same_recounts[mine] && BROKEN != 3 -> lock_it(); rebuild(); unlock()
    :: else
    fi
}

/* The compare-and-swap that makes the message ours, or not. */
inline take_it(to)
{
    atomic {
        swapped = (state[at] == seen);
        if
        :: swapped ->
            state[at] = to;
            assert(copy == number[at]);
            taken[copy]++;
            assert(taken[copy] == 1)
        :: else
        fi
    }
}

inline write(at, what)
{
    page[at] = what
}

inline hold_with_mutex(what)
{
    lock_it();
    find_held();
    atomic {
        at = 0;
        do
        :: at < NONE && page_used[at] -> at++
        :: else -> break
        od;
        assert(at < NONE);
        page_used[at] = true;
        state[at] = OF(GENERATION(state[at]) + 1, LENGTH)
    };
    write(at, what);
    atomic {
        number[at] = what;
        state[at] = OF(GENERATION(state[at]), 0);
        next[at] = NONE;
        used++;
        if
        :: first == NONE -> first = at
        :: else ->
            was = first;
            do
            :: next[was] != NONE -> was = next[was]
            :: else -> break
            od;
            next[was] = at
        fi
    };
    unlock()
}

/* remove_locked(): what is left of it is lost. */
inline remove()
{
    atomic {
        was = OFFSET(state[at]);
        state[at] = OF(GENERATION(state[at]), LENGTH);
        if
        :: was == 0 -> taken[number[at]]++; assert(taken[number[at]] == 1)
        :: else
        fi
    };
    atomic {
        if
        :: was != VACANT -> used--
        :: else
        fi;
        first = next[at];
        page_used[at] = false
    }
}

/* Or the search would tell states apart by what nobody looks at any more. */
inline forget()
{
    atomic {
        seen = 0;
        copy = 0;
        at = 0;
        was = 0;
        count = 0;
        each = 0;
        swapped = false;
        same_version[mine] = false;
        same_recounts[mine] = false
    }
}

proctype Thread(byte mine)
{
    byte seen, copy, at, was, each, count;
    bool swapped, holds = true;

    do
    :: holds ->
        holds = false;
        /* vacant_claim() */
        same_version[mine] = !changing;
        atomic { at = first; seen = state[at] };
        if
        :: !same_version[mine] || at == NONE || OFFSET(seen) != VACANT || shared ->
            goto hold_it
        :: else
        fi;
        atomic {
            swapped = (state[at] == seen);
            if
            :: swapped ->
                seen = OF(GENERATION(seen) + (BROKEN == 1 -> 0 : 1), CLAIMED);
                state[at] = seen
            :: else
            fi
        };
        if
        :: !swapped -> goto hold_it
        :: else
        fi;
        write(at, mine);
        same_recounts[mine] = !recounting;
        used++;
        /* vacant_publish() */
        swapped = (next[at] == NONE);
        atomic {
            swapped = swapped && (state[at] == seen || BROKEN == 2);
            if
            :: swapped -> state[at] = OF(GENERATION(seen), 0); number[at] = mine
            :: else
            fi
        };
        if
        :: swapped -> count_end(); goto held_it
        :: else -> used--; count_end()
        fi;
        /* give_back() */
        lock_it();
        find_held();
        if
        :: state[at] == OF(GENERATION(seen), REVOKED) ->
            state[at] = OF(GENERATION(seen), LENGTH);
            page_used[at] = false
        :: else
        fi;
        unlock();
hold_it:
        hold_with_mutex(mine);
held_it:
        atomic { held++; forget() }
    :: !holds && (first != NONE || held == 2) ->
        /* lockless_find() and take_from() */
        same_version[mine] = !changing;
        atomic {
            at = first;
            do
            :: at != NONE && OFFSET(state[at]) >= VACANT -> at = next[at]
            :: else -> break
            od;
            seen = state[at]
        };
        if
        :: !same_version[mine] || at == NONE || OFFSET(seen) >= LENGTH || shared ->
            goto with_mutex
        :: else
        fi;
        copy = page[at];
        same_recounts[mine] = !recounting;
        take_it(OF(GENERATION(seen), VACANT));
        if
        :: swapped -> used--
        :: else
        fi;
        count_end();
        goto again;
with_mutex:
        lock_it();
        find_held();
        at = first;
        if
        :: at == NONE && held == 2 -> unlock(); break
        :: at == NONE -> unlock()
        :: else ->
            seen = state[at];
            if
            :: OFFSET(seen) >= VACANT -> unlock(); goto again
            :: else
            fi;
            copy = page[at];
            take_it(OF(GENERATION(seen), LENGTH));
            if
            :: swapped -> remove()
            :: else
            fi;
            unlock()
        fi;
again:
        forget()
    od;
    ended++
}

proctype Other()
{
    byte was, each, count, at;

    lock_it();
    if
    :: OTHER == 1 -> rebuild()
    :: OTHER == 2 -> shared = true; find_held()
    :: OTHER == 3 ->
        find_held();
        at = first;
        if
        :: at != NONE -> remove()
        :: else
        fi
    fi;
    unlock();
    ended++
}

init
{
    byte i;

    /* The message before them, number 0, has been taken without the mutex. */
    atomic {
        first = 0;
        state[0] = OF(0, VACANT);
        next[0] = NONE;
        next[NONE] = NONE;
        page_used[0] = true;
        page_used[NONE] = true;
        run Thread(1);
        run Thread(2);
        run Other()
    };
    ended == 3;
    assert(used == 0);
    do
    :: i == SLOTS -> break
    :: else -> assert(!page_used[i] || OFFSET(state[i]) == VACANT); i++
    od;
    assert(taken[1] == 1 && taken[2] == 1)
}
