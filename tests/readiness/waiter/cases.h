/* SPDX-License-Identifier: MIT */
/*
 * Every case of the waiter, once: the waiter and the test that runs it are both made from this list.
 *
 * CASE(name, what happens without the library, where tails are held)
 *
 * FAILS:    the case must fail without the library; otherwise it would show nothing.
 * PASSES:   it passes without the library too, which must change nothing.
 * ANYWHERE: run with tails held in the process and in the kernel.
 * PROCESS:  in the process only: the case is about proxies.
 */
#ifndef WAITER_CASES_H
#define WAITER_CASES_H

#define POLL_CASES(CASE)                       \
    CASE(poll_many, FAILS, ANYWHERE)           \
    CASE(poll_same_twice, FAILS, ANYWHERE)     \
    CASE(poll_refuses, PASSES, ANYWHERE)       \
    CASE(poll_ends_in_time, PASSES, ANYWHERE)  \
    CASE(poll_interrupted, PASSES, ANYWHERE)   \
    CASE(poll_pending_signal, FAILS, ANYWHERE) \
    CASE(select_many, FAILS, ANYWHERE)         \
    CASE(select_refuses, PASSES, ANYWHERE)     \
    CASE(select_remaining, FAILS, ANYWHERE)    \
    CASE(select_interrupted, PASSES, ANYWHERE) \
    CASE(select_pending_signal, FAILS, ANYWHERE)

#define EPOLL_MODES_CASES(CASE)                     \
    CASE(level, FAILS, ANYWHERE)                    \
    CASE(level_with_more_behind, FAILS, ANYWHERE)   \
    CASE(edge, FAILS, ANYWHERE)                     \
    CASE(edge_asked_anew, FAILS, ANYWHERE)          \
    CASE(one_shot, FAILS, ANYWHERE)                 \
    CASE(one_shot_before_the_wait, FAILS, ANYWHERE) \
    CASE(one_shot_in_and_out, FAILS, ANYWHERE)      \
    CASE(exclusive, FAILS, ANYWHERE)                \
    CASE(in_and_out, FAILS, ANYWHERE)               \
    CASE(other_events, FAILS, ANYWHERE)

#define EPOLL_SHOTS_CASES(CASE)                       \
    CASE(one_shot_spent_for_others, FAILS, ANYWHERE)  \
    CASE(one_shot_fired_for_others, FAILS, ANYWHERE)  \
    CASE(one_shot_armed_for_others, FAILS, ANYWHERE)  \
    CASE(one_shot_spent_then_shared, FAILS, ANYWHERE) \
    CASE(one_shot_spent_for_the_next, FAILS, PROCESS) \
    CASE(one_shot_beside_a_handler, FAILS, ANYWHERE)  \
    CASE(level_beside_a_handler, FAILS, ANYWHERE)

#define EPOLL_SETS_CASES(CASE)                      \
    CASE(several_sets, FAILS, ANYWHERE)             \
    CASE(nested_sets, FAILS, ANYWHERE)              \
    CASE(polled_set, FAILS, ANYWHERE)               \
    CASE(change, FAILS, ANYWHERE)                   \
    CASE(removal, FAILS, ANYWHERE)                  \
    CASE(two_descriptors, FAILS, ANYWHERE)          \
    CASE(two_descriptors_one_data, FAILS, ANYWHERE) \
    CASE(one_event_at_a_time, FAILS, ANYWHERE)      \
    CASE(many_sockets, FAILS, ANYWHERE)             \
    CASE(shared_data, FAILS, ANYWHERE)              \
    CASE(shared_data_one_shot, FAILS, ANYWHERE)     \
    CASE(set_by_a_copy, FAILS, ANYWHERE)            \
    CASE(copy_outlives_registered, FAILS, ANYWHERE)

#define EPOLL_ERRORS_CASES(CASE)          \
    CASE(refuses, PASSES, ANYWHERE)       \
    CASE(pending_signal, FAILS, ANYWHERE) \
    CASE(interrupted, PASSES, ANYWHERE)

#define EPOLL_OTHERS_CASES(CASE)                              \
    CASE(one_shot_first_event_of_a_sleeper, PASSES, ANYWHERE) \
    CASE(sleeper_wakes, FAILS, ANYWHERE)                      \
    CASE(sleeper_wakes_again, FAILS, ANYWHERE)                \
    CASE(taken_by_a_thread, FAILS, ANYWHERE)                  \
    CASE(taken_by_a_child, FAILS, ANYWHERE)                   \
    CASE(begun_by_a_child, FAILS, ANYWHERE)                   \
    CASE(left_by_a_dead_child, FAILS, ANYWHERE)               \
    CASE(left_while_asleep, FAILS, ANYWHERE)                  \
    CASE(polled_set_of_two, FAILS, ANYWHERE)                  \
    CASE(one_shot_of_two, FAILS, ANYWHERE)                    \
    CASE(parent_closes_its_set, FAILS, ANYWHERE)              \
    CASE(quiet_time, PASSES, ANYWHERE)

#define EPOLL_LEARNED_CASES(CASE)                   \
    CASE(number_of_another, FAILS, ANYWHERE)        \
    CASE(number_of_two, FAILS, ANYWHERE)            \
    CASE(among_others, FAILS, ANYWHERE)             \
    CASE(long_after_a_tail, FAILS, ANYWHERE)        \
    CASE(nested_after_a_child, FAILS, ANYWHERE)     \
    CASE(one_shot_at_the_end, PASSES, PROCESS)      \
    CASE(one_shot_then_the_end, FAILS, ANYWHERE)    \
    CASE(sleeps_after_a_fork, FAILS, ANYWHERE)      \
    CASE(fork_wakes_nobody, PASSES, ANYWHERE)       \
    CASE(set_without_a_descriptor, FAILS, ANYWHERE) \
    CASE(set_by_a_copy_alone, FAILS, ANYWHERE)      \
    CASE(set_in_a_message, FAILS, ANYWHERE)

#define EPOLL_LEFT_CASES(CASE)                            \
    CASE(shot_left_by_a_close, FAILS, ANYWHERE)           \
    CASE(shot_left_by_an_end, FAILS, ANYWHERE)            \
    CASE(shot_left_without_a_descriptor, FAILS, ANYWHERE) \
    CASE(closed_while_asleep, FAILS, ANYWHERE)

#define SIGNALS_CASES(CASE)                   \
    CASE(signal_driven, FAILS, ANYWHERE)      \
    CASE(signal_of_choice, FAILS, ANYWHERE)   \
    CASE(signal_to_a_thread, FAILS, ANYWHERE) \
    CASE(signal_to_a_group, FAILS, ANYWHERE)  \
    CASE(signal_of_a_passed_socket, FAILS, ANYWHERE)

#define ENDING_CASES(CASE)                   \
    CASE(same_descriptors, PASSES, ANYWHERE) \
    CASE(close_socket, FAILS, ANYWHERE)      \
    CASE(close_set, FAILS, ANYWHERE)         \
    CASE(close_in_a_loop, FAILS, ANYWHERE)   \
    CASE(close_from, FAILS, ANYWHERE)        \
    CASE(close_a_range, FAILS, ANYWHERE)     \
    CASE(close_above, FAILS, ANYWHERE)       \
    CASE(number_used_again, FAILS, ANYWHERE) \
    CASE(stand_in_closed, FAILS, PROCESS)    \
    CASE(stand_in_overwritten, FAILS, PROCESS)

#define ALL_CASES(CASE)       \
    POLL_CASES(CASE)          \
    EPOLL_MODES_CASES(CASE)   \
    EPOLL_SHOTS_CASES(CASE)   \
    EPOLL_SETS_CASES(CASE)    \
    EPOLL_ERRORS_CASES(CASE)  \
    EPOLL_OTHERS_CASES(CASE)  \
    EPOLL_LEARNED_CASES(CASE) \
    EPOLL_LEFT_CASES(CASE)    \
    SIGNALS_CASES(CASE)       \
    ENDING_CASES(CASE)

#define CASE_DECLARE(name, without, where) void case_##name(void);
ALL_CASES(CASE_DECLARE)

#endif
