/* What a user may have meant: command/spelling.h. */
#include "unit.h"

#include "command/spelling.h"

TEST("a letter that is missing, too much, wrong, or exchanged with its neighbour counts one")
{
    equal(spelling_distance("stop", "stop"), 0);
    equal(spelling_distance("stpo", "stop"), 1);
    equal(spelling_distance("sop", "stop"), 1);
    equal(spelling_distance("stopp", "stop"), 1);
    equal(spelling_distance("stip", "stop"), 1);
    equal(spelling_distance("STOP", "stop"), 0);
    equal(spelling_distance("", "stop"), 4);
    equal(spelling_distance("kitten", "sitting"), 3);
    equal(spelling_distance("ca", "abc"), 3); /* no letter is exchanged and then moved apart */
}

TEST("the distance is the same both ways, and never more than the longer word has letters")
{
    for (unsigned round = 0; round < 10000; round++) {
        char one[9] = "", other[9] = "";
        size_t lengths[] = {below(9), below(9)};
        for (size_t i = 0; i < lengths[0]; i++)
            one[i] = (char)('a' + below(3));
        for (size_t i = 0; i < lengths[1]; i++)
            other[i] = (char)('a' + below(3));
        unsigned distance = spelling_distance(one, other);
        equal(distance, spelling_distance(other, one));
        equal(distance == 0, strcmp(one, other) == 0);
        check(distance <= (lengths[0] > lengths[1] ? lengths[0] : lengths[1]), "%s %s", one, other);
    }
}

TEST("a word that is too long is far from all")
{
    char word[SPELLING_LONGEST + 2] = "";
    memset(word, 'x', SPELLING_LONGEST);
    equal(spelling_distance(word, "x"), SPELLING_LONGEST - 1);
    word[SPELLING_LONGEST] = 'x';
    equal(spelling_distance(word, "x"), SPELLING_FAR);
    equal(spelling_distance("x", word), SPELLING_FAR);
}

static const char *nearest(const char *word)
{
    static const char *const known[] = {"run", "ports", "port", "release", "ls"};
    struct spelling spelling = {.word = word};
    for (unsigned i = 0; i < sizeof known / sizeof *known; i++)
        spelling_try(&spelling, known[i]);
    return spelling.nearest != NULL ? spelling.nearest : "none";
}

TEST("the nearest word is found, the first of two, and none where all are far")
{
    equal_text(nearest("rnu"), "run");
    equal_text(nearest("prot"), "port");
    equal_text(nearest("prots"), "ports");
    equal_text(nearest("realese"), "release");
    equal_text(nearest("lss"), "ls");
    equal_text(nearest("cd"), "none");
    equal_text(nearest("reset"), "none");
    equal_text(nearest(""), "none");
}

TEST("a word is quoted where a shell would change it, and a line that is full is cut")
{
    char line[64], small[8];
    char *words[] = {"./x", "a b", "it's", "", "-p", "80,81/udp", "$HOME", "x=~", NULL};
    struct text t = text_in(line, sizeof line), cut = text_in(small, sizeof small);
    spelling_add_words(&t, words);
    equal_text(line, "./x 'a b' 'it'\\''s' '' -p 80,81/udp '$HOME' 'x=~'");
    spelling_add_words(&cut, words);
    check(cut.cut, "%s", small);
}
