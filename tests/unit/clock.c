// links: net
/* Whether our clock is wrong, by what peers told: how many must disagree, whose word counts, and the words.
 */
#include "node/net/clock.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const int64_t minute = 60000, hour = 3600000;

static struct clock_verdict judge(const struct clock_vote *votes, size_t n)
{
    struct clock_verdict v;
    clock_judge(&v, votes, n);
    return v;
}
#define JUDGE(...)                                  \
    judge((const struct clock_vote[]){__VA_ARGS__}, \
          sizeof((const struct clock_vote[]){__VA_ARGS__}) / sizeof(struct clock_vote))

static void nobody_and_one_alone_prove_nothing(void **state)
{
    (void)state;
    struct clock_verdict v = judge(NULL, 0);
    char words[CLOCK_WORDS];
    assert_false(v.wrong);
    assert_string_equal(clock_words(words, &v), "");
    v = JUDGE({true, 2 * hour});
    assert_false(v.wrong);
    assert_non_null(strstr(clock_words(words, &v), "one of the two is wrong"));
    v = JUDGE({true, minute});
    assert_string_equal(clock_words(words, &v), "");
}

static void most_must_disagree_by_more_than_five_minutes(void **state)
{
    (void)state;
    assert_false(JUDGE({true, 5 * minute}, {true, -5 * minute}).wrong);
    assert_true(JUDGE({true, 5 * minute + 1}, {true, 5 * minute + 1}).wrong);
    assert_true(JUDGE({true, -5 * minute - 1}, {true, -hour}).wrong);
    assert_false(JUDGE({true, hour}, {true, 0}).wrong); /* half is not most */
    assert_true(JUDGE({true, hour}, {true, hour}, {true, 0}).wrong);
    assert_false(JUDGE({true, hour}, {true, 0}, {true, 0}).wrong);
}

static void strangers_count_only_where_we_chose_too_few(void **state)
{
    (void)state;
    assert_false(JUDGE({true, 0}, {true, 0}, {false, hour}, {false, hour}, {false, hour}).wrong);
    assert_true(JUDGE({true, hour}, {true, hour}, {false, 0}, {false, 0}, {false, 0}).wrong);
    assert_true(JUDGE({true, 0}, {false, hour}, {false, hour}).wrong);
    assert_true(JUDGE({false, hour}, {false, hour}).wrong);
}

static void the_words_name_how_much_and_which_way(void **state)
{
    (void)state;
    char words[CLOCK_WORDS];
    struct clock_verdict v =
        JUDGE({true, 2 * hour}, {true, 2 * hour + 3 * minute}, {true, 90 * hour}, {true, 0});
    assert_true(v.wrong && v.peers == 4 && v.apart == 3);
    assert_non_null(strstr(clock_words(words, &v), "2 h 3 min ahead of 3 of 4 peers"));
    v = JUDGE({true, -49 * hour}, {true, -50 * hour});
    assert_non_null(strstr(clock_words(words, &v), "2 days behind 2 of 2 peers"));
    assert_non_null(strstr(words, "timedatectl"));
    v = JUDGE({true, -INT64_C(253402300799000)}, {true, -INT64_C(253402300799000)});
    assert_true(strlen(clock_words(words, &v)) < CLOCK_WORDS - 1);
}

static void more_votes_than_are_counted_are_left_out(void **state)
{
    (void)state;
    struct clock_vote votes[2 * CLOCK_PEERS_MOST] = {{false, 0}};
    assert_int_equal(judge(votes, 2 * CLOCK_PEERS_MOST).peers, CLOCK_PEERS_MOST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_and_one_alone_prove_nothing),
        cmocka_unit_test(most_must_disagree_by_more_than_five_minutes),
        cmocka_unit_test(strangers_count_only_where_we_chose_too_few),
        cmocka_unit_test(the_words_name_how_much_and_which_way),
        cmocka_unit_test(more_votes_than_are_counted_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
