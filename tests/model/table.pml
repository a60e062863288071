/* SPDX-License-Identifier: MIT
 *
 * The fragment table without its mutex, and the mutex when its owner dies: core/table/lockless.c,
 * mutex.c and the last part in table.c, for spin, which tries every order of the steps.
 *
 * One slot and its page, which every message uses again. A holder puts messages in; two takers take
 * them part by part, of one byte: a part that leaves something without the mutex, by a compare-and-swap
 * of `state` (generation, offset); the last one with it. Whoever has the mutex may die at any step,
 * once. Shown:
 *   - what a take that succeeds has copied are the message's own bytes, each taken once;
 *   - every message that was held is taken whole, whoever dies;
 *   - nobody waits for ever.
 *
 * Not here: memory order (each step is seen at once by all), several slots and chains, damage.
 * With BROKEN=1 the generation stays as it is, with BROKEN=2 a dead owner keeps the mutex, with
 * BROKEN=3 nobody removes the message whose last part a dead owner has taken: each must be found.
 */
#ifndef BROKEN
#define BROKEN 0
#endif
#define MESSAGES 3
#define LENGTH   2
#define OF(generation, offset) ((generation) * 4 + (offset))
#define OFFSET(state)          ((state) % 4)
#define NEXT(state)            ((BROKEN == 1 -> 0 : (state) / 4 + 1))

byte version, state, lock;
bool held;              /* the slot is in the lists */
byte page[LENGTH];      /* each byte says which message's it is */
byte number;            /* of the message in the slot, for the assertions only */
bool was_held[MESSAGES + 1];
byte taken[(MESSAGES + 1) * LENGTH];
bool dead[5], finished; /* the holder has ended, in whichever way */
byte deaths, ended;

/* Between any two steps of whoever has the mutex. */
#define MAY_DIE                                                           \
    if                                                                    \
    :: deaths < 1 -> atomic { deaths++; dead[_pid] = true; goto died }    \
    :: true                                                               \
    fi

inline lock_it()
{
    do
    :: atomic { lock == 0 -> lock = _pid; break }
    :: atomic { lock != 0 && dead[lock] && BROKEN != 2 -> lock = _pid; break }
    od
    MAY_DIE;
    /* change_begin() says that a change was not finished; and a message of which nothing is left was
     * not removed. */
    if
    :: version % 2 -> version++
    :: else
    fi
    MAY_DIE;
    if
    :: held && OFFSET(state) == LENGTH && BROKEN != 3 -> remove()
    :: else
    fi
}

inline remove()
{
    version = version | 1;
    MAY_DIE;
    held = false;
    MAY_DIE;
    version++;
    MAY_DIE
}

inline unlock()
{
    lock = 0
}

/* The compare-and-swap that makes the bytes ours, or not. */
inline take_byte(next)
{
    atomic {
        swapped = (state == seen);
        if
        :: swapped ->
            state = next;
            assert(copy == number);
            taken[number * LENGTH + OFFSET(seen)]++;
            assert(taken[number * LENGTH + OFFSET(seen)] == 1)
        :: else
        fi
    }
}

proctype Holder()
{
    byte next = 1;

    do
    :: next > MESSAGES -> break
    :: else ->
        lock_it();
        if
        :: !held ->
            version = version | 1;
            MAY_DIE;
            state = OF(NEXT(state), LENGTH);
            MAY_DIE;
            page[0] = next;
            MAY_DIE;
            page[1] = next;
            MAY_DIE;
            atomic { state = state - LENGTH; number = next };
            MAY_DIE;
            atomic { held = true; was_held[next] = true };
            MAY_DIE;
            version++;
            next++
        :: else
        fi
        MAY_DIE;
        unlock()
    od
died:
    finished = true;
    ended++
}

proctype Taker()
{
    byte before, seen, copy;
    bool swapped, there;

    do
    :: true ->
        /* lockless_find() and take_from() */
        before = version;
        there = held;
        seen = state;
        if
        :: before % 2 || version != before || !there || OFFSET(seen) + 1 >= LENGTH -> goto with_mutex
        :: else
        fi
        copy = page[OFFSET(seen)];
        take_byte(seen + 1);
        goto again;
with_mutex:
        lock_it();
        if
        :: held ->
            seen = state;
            MAY_DIE;
            copy = page[OFFSET(seen)];
            MAY_DIE;
            take_byte(seen + 1);
            MAY_DIE;
            if
            :: swapped && OFFSET(seen) + 1 == LENGTH -> remove()
            :: else
            fi
        :: !held && finished -> unlock(); break
        :: else
        fi
        unlock();
again:
        skip
    od
died:
    ended++
}

init
{
    byte i = 1;

    atomic { run Holder(); run Taker(); run Taker() }
    ended == 3;
    do
    :: i > MESSAGES -> break
    :: else ->
        assert(!was_held[i] || (taken[i * LENGTH] == 1 && taken[i * LENGTH + 1] == 1));
        i++
    od
}
