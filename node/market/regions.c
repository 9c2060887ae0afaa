#include "node/market/regions.h"

/* The second letters that follow each first letter (ISO 3166-1 alpha-2, the 249 assigned codes). */
static const char *const second_letters[26] = {
    "DEFGILMOQRSTUWXZ",        /* A */
    "ABDEFGHIJLMNOQRSTVWYZ",   /* B */
    "ACDFGHIKLMNORUVWXYZ",     /* C */
    "EJKMOZ",                  /* D */
    "CEGHRST",                 /* E */
    "IJKMOR",                  /* F */
    "ABDEFGHILMNPQRSTUWY",     /* G */
    "KMNRTU",                  /* H */
    "DELMNOQRST",              /* I */
    "EMOP",                    /* J */
    "EGHIMNPRWYZ",             /* K */
    "ABCIKRSTUVY",             /* L */
    "ACDEFGHKLMNOPQRSTUVWXYZ", /* M */
    "ACEFGILOPRUZ",            /* N */
    "M",                       /* O */
    "AEFGHKLMNRSTWY",          /* P */
    "A",                       /* Q */
    "EOSUW",                   /* R */
    "ABCDEGHIJKLMNORSTVXYZ",   /* S */
    "CDFGHJKLMNORTVWZ",        /* T */
    "AGMSYZ",                  /* U */
    "ACEGINU",                 /* V */
    "FS",                      /* W */
    "",                        /* X */
    "ET",                      /* Y */
    "AMW",                     /* Z */
};

bool region_ok(struct span code)
{
    if (code.n != 2 || code.p[0] < 'A' || code.p[0] > 'Z' || code.p[1] < 'A' || code.p[1] > 'Z')
        return false;
    return strchr(second_letters[code.p[0] - 'A'], code.p[1]) != NULL;
}

static char capital(uint8_t c)
{
    return (char)(c >= 'a' && c <= 'z' ? c - 32 : c);
}

bool region_guess(char out[static 3], struct span code)
{
    static const char usual[][2][3] = {
        {"UK", "GB"}, {"EN", "GB"}, {"EL", "GR"}, {"SP", "ES"}, {"SW", "CH"}};
    if (code.n != 2)
        return false;
    char guess[3] = {capital(code.p[0]), capital(code.p[1]), 0};
    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++)
        if (memcmp(guess, usual[i][0], 2) == 0)
            memcpy(guess, usual[i][1], 2);
    if (!region_ok(span(guess, 2)))
        return false;
    memcpy(out, guess, 3);
    return true;
}
