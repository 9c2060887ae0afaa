/* The escrow's rules as a model that spin checks. Read spec/escrow.md first: it says the rules in plain words,
 * what goes wrong without each, and how to run this (tests/model/run).
 *
 * WHO. A buyer, a seller, an arbiter; at most one of them is dishonest (BYZ) and then does anything that its own
 * keys, the facts that it holds and the rail allow, at any time, or nothing. Honest parties do what their rules
 * allow, in any order, and what their rules demand before the clock moves on.
 *
 * TIME is counted in ticks of one delta: the longest delay of a message or of a rail submission between honest
 * parties. Within that bound facts are delayed and reordered freely; what is lost is sent again, so that loss is
 * delay. The clock moves only when no honest party is late with a duty and nothing is in flight for a whole tick.
 * Facts are bits: to send one twice is to send it once.
 *
 * IN IT: enrol and ready, funding (also short of the amount), cancelling, shipping, goods that are lost, late or
 * not as described, release, refund, dispute, ruling, release for silence, co-signing, the late branch, signatures
 * that name their lock, and by a setting: replacing the arbiter (MOVE), friendly splits (SPLIT), delays without
 * bound (UNBOUNDED).
 * NOT IN IT: split rulings and fees (the arbiter gives all to one side), returns, the substitute's own branch,
 * confirmations taken back, offers and their crossing with withdrawals, restored nodes, a dishonest issuer, two
 * dishonest parties at once, clocks that differ by more than delta. The arbiter, when honest, knows how it was. */

/* ---- settings ---- */
#define NOBODY 0
#define BUYER 1
#define SELLER 2
#define ARBITER 3

#ifndef BYZ
#define BYZ NOBODY /* the dishonest one */
#endif
#ifndef LATE_TO
#define LATE_TO BUYER /* whom the late branch pays: BUYER or SELLER */
#endif
#ifndef MOVE
#define MOVE 0 /* 1: the arbiter can be replaced once, by moving the money to a new lock */
#endif
#ifndef SPLIT
#define SPLIT 0 /* BUYER: the buyer may ask for a friendly split, the seller may sign it; SELLER: the other way */
#endif
#ifndef UNBOUNDED
#define UNBOUNDED 0 /* 1: no bound on delays; then only what holds at every instant is checked, not who gets what */
#endif
#ifndef WITNESS
#define WITNESS 0 /* n: claim that ending n cannot be reached. spin must refute it, or the model is empty */
#endif

/* ---- the rules (DESIGN 12): 1 as written, 0 left out; a whole rule, or one part of it ---- */
#ifndef RULE_1
#define RULE_1 1
#endif
#ifndef RULE_1_ABSOLUTE /* 0: the arbiter counts the inspection from the time that the seller's "shipped" states */
#define RULE_1_ABSOLUTE RULE_1
#endif
#ifndef RULE_1_CUTOFF /* 0: the arbiter takes a dispute however late it arrives */
#define RULE_1_CUTOFF RULE_1
#endif
#ifndef RULE_1_SILENCE /* 0: release for silence right after inspect end, not after the cut-off */
#define RULE_1_SILENCE RULE_1
#endif
#ifndef RULE_1_RULE_BY /* 0: rule by may lie before the cut-off */
#define RULE_1_RULE_BY RULE_1
#endif
#ifndef RULE_1_LATE /* 0: the late branch opens one delta sooner than the rule has it */
#define RULE_1_LATE RULE_1
#endif
#ifndef RULE_2
#define RULE_2 1
#endif
#ifndef RULE_2_REQUEST /* 0: to cancel, the buyer sends its own signature under the refund */
#define RULE_2_REQUEST RULE_2
#endif
#ifndef RULE_2_ONE_OF_TWO /* 0: the seller may ship although it signed a refund (the same words stand in rule 3) */
#define RULE_2_ONE_OF_TWO RULE_2
#endif
#ifndef RULE_2_REFUND /* 0: a seller that has not shipped by ship-by owes nothing */
#define RULE_2_REFUND RULE_2
#endif
#ifndef RULE_3
#define RULE_3 1
#endif
#ifndef RULE_3_LOCK /* 0: the seller ships on its own "ready", before it sees a lock */
#define RULE_3_LOCK RULE_3
#endif
#ifndef RULE_3_AMOUNT /* 0: the seller ships on a lock of less than the amount */
#define RULE_3_AMOUNT RULE_3
#endif
#ifndef RULE_3_IN_TIME /* 0: the seller ships after ship-by */
#define RULE_3_IN_TIME RULE_3
#endif
#ifndef RULE_3_REFUND /* 0: after shipping the seller signs a refund for goods that are neither lost nor returned */
#define RULE_3_REFUND RULE_3
#endif
#ifndef RULE_4 /* 0: goods after deliver-by are as good as goods before */
#define RULE_4 1
#endif
#ifndef RULE_5
#define RULE_5 1
#endif
#ifndef RULE_5_BUYER /* 0: the buyer's dispute carries its signature under the refund */
#define RULE_5_BUYER RULE_5
#endif
#ifndef RULE_5_SELLER /* 0: the seller's request for release carries its signature under the release */
#define RULE_5_SELLER RULE_5
#endif
#ifndef RULE_6
#define RULE_6 1
#endif
#ifndef RULE_6_RELEASE /* 0: a content buyer may keep silent */
#define RULE_6_RELEASE RULE_6
#endif
#ifndef RULE_6_UNSEEN /* 0: the buyer disputes only after it saw "shipped" */
#define RULE_6_UNSEEN RULE_6
#endif
#ifndef RULE_7
#define RULE_7 1
#endif
#ifndef RULE_7_REFUND /* 0: a refund ruling is acted on with no dispute of one's own, or before deliver-by */
#define RULE_7_REFUND RULE_7
#endif
#ifndef RULE_7_RELEASE /* 0: an arbiter's release is acted on before deliver-by */
#define RULE_7_RELEASE RULE_7
#endif
#ifndef RULE_8
#define RULE_8 1
#endif
#ifndef RULE_8_AFTER /* 0: the arbiter rules before deliver-by */
#define RULE_8_AFTER RULE_8
#endif
#ifndef RULE_8_IN_TIME /* 0: the arbiter rules when it likes */
#define RULE_8_IN_TIME RULE_8
#endif
#ifndef RULE_8_HELD /* 0: release for silence although a dispute is held */
#define RULE_8_HELD RULE_8
#endif
#ifndef RULE_8_COSIGN /* 0: the arbiter signs only rulings and releases for silence */
#define RULE_8_COSIGN RULE_8
#endif
#ifndef RULE_9
#define RULE_9 1
#endif
#ifndef RULE_9_AT_ONCE /* 0: who holds what settles the trade submits it when it likes */
#define RULE_9_AT_ONCE RULE_9
#endif
#ifndef RULE_9_LATE /* 0: there is no late branch */
#define RULE_9_LATE RULE_9
#endif
#ifndef RULE_10
#define RULE_10 1
#endif
#ifndef RULE_10_NAME /* 0: signatures do not name their lock and hold for the new one too */
#define RULE_10_NAME RULE_10
#endif
#ifndef RULE_10_TIMES /* 0: the new lock keeps the old rule-by and T */
#define RULE_10_TIMES RULE_10
#endif
#ifndef RULE_10_AGAIN /* 0: undecided disputes are not sent to the new arbiter */
#define RULE_10_AGAIN RULE_10
#endif
/* Two more that DESIGN 12 states outside its list. */
#ifndef RULE_READY /* "No node funds without it": 0: the buyer funds without enrol and ready */
#define RULE_READY 1
#endif
#ifndef RULE_ONCE /* never a second, different signature, unless it matches a ruling: 0: anything goes */
#define RULE_ONCE 1
#endif

/* ---- deadlines, in ticks of one delta ---- */
#define DELTA 1
#define FUND_BY 0
#define SHIP_BY 1
#define DELIVER_BY 2
#define INSPECT_END 3
#define CUTOFF (INSPECT_END + DELTA)
#ifndef RULE_BY
#if RULE_1_RULE_BY
#define RULE_BY CUTOFF
#else
#define RULE_BY (CUTOFF - 1)
#endif
#endif
#define LAST_OF_THE_TWO (RULE_BY > INSPECT_END + 2 * DELTA -> RULE_BY : INSPECT_END + 2 * DELTA)
#define LATE_AT (LAST_OF_THE_TWO + 3 * DELTA - (1 - RULE_1_LATE))
#define SILENCE_AFTER (RULE_1_SILENCE -> CUTOFF : INSPECT_END)
#define MOVE_TIME 5 /* what a new lock adds to rule-by and T */
#define END (LATE_AT + MOVE * MOVE_TIME + 2)

/* ---- facts ---- */
#define ENROL 1        /* arbiter: I consent */
#define READY 2        /* seller: this lock, until fund-by */
#define SHIPPED 4      /* seller */
#define ASK 8          /* seller: release for silence, please */
#define DISPUTE 16     /* buyer */
#define CANCEL 32      /* buyer: an unsigned wish */
#define B_RELEASE 64   /* payouts: who signed, and whom it pays. Release pays the seller, refund the buyer */
#define B_REFUND 128
#define S_RELEASE 256
#define S_REFUND 512
#define A_RELEASE 1024
#define A_REFUND 2048
#define B_SPLIT 4096   /* the friendly split that both spoke of */
#define S_SPLIT 8192
#define B_MOVE 16384   /* to a new lock with a new arbiter */
#define S_MOVE 32768
#define PAYOUTS (B_RELEASE | B_REFUND | S_RELEASE | S_REFUND | A_RELEASE | A_REFUND | B_SPLIT | S_SPLIT)
#define SIGNATURES (PAYOUTS | B_MOVE | S_MOVE)

/* ---- submissions to the rail ---- */
#define FUND 1
#define RELEASE 2
#define REFUND 4
#define SPLITTED 8
#define LATE 16
#define MOVED 32

/* ---- the state ---- */
byte byz;  /* who is dishonest */
byte now;  /* tick */
bool done; /* the last tick is over and every duty done */

byte lock;        /* 0 none, 1 the first, 2 the one with the new arbiter */
bool short_lock;  /* it holds less than the amount */
byte settled;     /* 0 locked, else whom it paid: */
#define TO_SELLER 1
#define TO_BUYER 2
#define TO_BOTH 3
byte settlements; /* how many */
bool paid_late;   /* by the late branch */

bool funding, shipped, received, good, lost; /* the buyer's submission is out; the goods */
bool enrolled, disputed, cancelled, asked, ruled, silence; /* what honest parties did, kept by them */
byte arbiter_inspect_end;                                  /* as the arbiter reckons it */

int to_buyer, to_seller, to_arbiter;       /* facts in flight, */
int old_buyer, old_seller, old_arbiter;    /* those of them in flight since before this tick, */
int buyer_has, seller_has, arbiter_has;    /* and arrived */
int signatures;                            /* every signature that exists for the present lock */
byte at_rail, old_at_rail;                 /* submissions in flight */

#define HONEST_BUYER (byz != BUYER)
#define HONEST_SELLER (byz != SELLER)
#define HONEST_ARBITER (byz != ARBITER)
#define OPEN (lock > 0 && settled == 0)
#define CONTENT (received && good) /* the buyer has what it bought */
#define OUT_OR_OWN_FOLLY (lock == 0 || settled != 0 || (byz == BUYER && !enrolled)) /* a bad buyer may lock money up that nobody agreed to */
#define IN_TRANSIT (shipped && !received && !lost)
#define RULE_BY_NOW (RULE_BY + (lock == 2 && RULE_10_TIMES -> MOVE_TIME : 0))
#define LATE_AT_NOW (LATE_AT + (lock == 2 && RULE_10_TIMES -> MOVE_TIME : 0))

/* ---- sending: a dishonest party has at once what is sent to it ---- */
inline send_buyer(fact) { if :: byz == BUYER -> buyer_has = buyer_has | fact :: else -> to_buyer = to_buyer | ((fact) & ~buyer_has) fi }
inline send_seller(fact) { if :: byz == SELLER -> seller_has = seller_has | fact :: else -> to_seller = to_seller | ((fact) & ~seller_has) fi }
inline send_arbiter(fact) { if :: byz == ARBITER -> arbiter_has = arbiter_has | fact :: else -> to_arbiter = to_arbiter | ((fact) & ~arbiter_has) fi }

/* ---- the rail ---- */
bool two_of_three = 1, settled_once = 1, late_branch_waits = 1; /* named so that a failure says which */

inline settle(whom) {
  settled = whom; settlements++;
  settled_once = (settlements <= 1); assert(settled_once)
}
inline pay(whom, one, two, three) {
  if
  :: OPEN ->
     two_of_three = ((((signatures & (one)) != 0) + ((signatures & (two)) != 0) + ((signatures & (three)) != 0)) >= 2);
     assert(two_of_three);
     settle(whom)
  :: else
  fi
}
inline pay_late() {
  if
  :: OPEN ->
     late_branch_waits = (now >= LATE_AT_NOW); assert(late_branch_waits);
     paid_late = 1;
     settle((LATE_TO == BUYER -> TO_BUYER : TO_SELLER))
  :: else
  fi
}
/* Rule 10. The new arbiter is honest where the old one was not; honest parties hand it their file. */
inline move() {
  if
  :: OPEN && lock == 1 ->
     lock = 2; ruled = 0; silence = 0;
     if :: byz == ARBITER -> byz = NOBODY; enrolled = 1 :: else fi;
     if
     :: RULE_10_NAME ->
        signatures = 0;
        buyer_has = buyer_has & ~SIGNATURES; seller_has = seller_has & ~SIGNATURES; arbiter_has = arbiter_has & ~SIGNATURES;
        to_buyer = to_buyer & ~SIGNATURES; to_seller = to_seller & ~SIGNATURES; to_arbiter = to_arbiter & ~SIGNATURES
     :: else
     fi;
     if :: RULE_10_AGAIN -> skip :: else -> arbiter_has = arbiter_has & ~DISPUTE; to_arbiter = to_arbiter & ~DISPUTE fi;
     at_rail = 0; old_at_rail = 0;
     old_buyer = old_buyer & to_buyer; old_seller = old_seller & to_seller; old_arbiter = old_arbiter & to_arbiter;
     if :: RULE_10_AGAIN && disputed -> to_arbiter = to_arbiter | (DISPUTE & ~arbiter_has) :: else fi;
     if :: HONEST_SELLER && shipped -> to_arbiter = to_arbiter | (SHIPPED & ~arbiter_has) :: else fi;
     if :: HONEST_SELLER && asked -> to_arbiter = to_arbiter | (ASK & ~arbiter_has) :: else fi
  :: else
  fi
}
active proctype Rail() {
  do
  :: d_step { !done && (at_rail & FUND) -> printf("the rail locks the amount\n"); at_rail = at_rail & ~FUND; old_at_rail = old_at_rail & ~FUND; lock = 1 }
  :: d_step { !done && (at_rail & RELEASE) -> printf("the rail pays the seller\n"); at_rail = 0; old_at_rail = 0; pay(TO_SELLER, B_RELEASE, S_RELEASE, A_RELEASE) }
  :: d_step { !done && (at_rail & REFUND) -> printf("the rail pays the buyer\n"); at_rail = 0; old_at_rail = 0; pay(TO_BUYER, B_REFUND, S_REFUND, A_REFUND) }
  :: d_step { !done && (at_rail & LATE) -> printf("the rail pays by the late branch\n"); at_rail = 0; old_at_rail = 0; pay_late() }
#if SPLIT
  :: d_step { !done && (at_rail & SPLITTED) -> printf("the rail pays both by the split\n"); at_rail = 0; old_at_rail = 0; pay(TO_BOTH, B_SPLIT, S_SPLIT, 0) }
#endif
#if MOVE
  :: d_step { !done && (at_rail & MOVED) -> printf("the rail moves the money to a new lock\n"); at_rail = 0; old_at_rail = 0; move() }
#endif
  :: done -> break
  od
}

/* ---- the honest buyer: MAY_ is allowed, MUST_ is to be done before the clock moves ---- */
#define B_MAY_FUND (lock == 0 && !funding && now <= FUND_BY && (!RULE_READY || (buyer_has & (ENROL | READY)) == (ENROL | READY)))
#define B_MAY_CANCEL (OPEN && !cancelled && !(buyer_has & SHIPPED) && !received && now <= SHIP_BY)
#define B_MAY_RELEASE (OPEN && CONTENT && !(signatures & B_RELEASE) && (!RULE_ONCE || !(signatures & (B_REFUND | B_SPLIT)) || (buyer_has & A_RELEASE)))
#define B_MUST_RELEASE (B_MAY_RELEASE && (now >= INSPECT_END || disputed) && RULE_6_RELEASE)
#define B_MAY_DISPUTE \
  (OPEN && !CONTENT && !disputed && now <= INSPECT_END && (RULE_6_UNSEEN || (buyer_has & SHIPPED)) && \
   ((received && !good) || now == INSPECT_END || (now > SHIP_BY && !(buyer_has & SHIPPED))))
#define B_MUST_DISPUTE (B_MAY_DISPUTE && now == INSPECT_END)
#define B_HAS_REFUND ((buyer_has & S_REFUND) || ((buyer_has & A_REFUND) && (!RULE_7_REFUND || (disputed && now > DELIVER_BY))))
#define B_MAY_TAKE (OPEN && !CONTENT && B_HAS_REFUND && !(at_rail & REFUND) && (!RULE_ONCE || !(signatures & B_RELEASE)))
#define B_MAY_SUBMIT (OPEN && (signatures & B_RELEASE) && (buyer_has & (A_RELEASE | S_RELEASE)) && !(at_rail & RELEASE))
#define B_MAY_LATE (RULE_9_LATE && OPEN && now >= LATE_AT_NOW && !(at_rail & LATE) && ((LATE_TO == BUYER && !CONTENT) || (signatures & B_SPLIT)))
#define B_MAY_SIGN_SPLIT (SPLIT == SELLER && OPEN && !(signatures & (B_RELEASE | B_REFUND | B_SPLIT)) && now <= INSPECT_END)
#define B_MAY_COMBINE (SPLIT == BUYER && OPEN && (buyer_has & S_SPLIT) && !(signatures & (B_RELEASE | B_REFUND)) && !(at_rail & SPLITTED))
#define B_MAY_MOVE (MOVE && lock == 1 && settled == 0 && !(signatures & (B_MOVE | B_RELEASE | B_REFUND | B_SPLIT)) && now <= RULE_BY)
#define B_MUST (B_MUST_RELEASE || B_MUST_DISPUTE || (RULE_9_AT_ONCE && (B_MAY_TAKE || B_MAY_SUBMIT || B_MAY_COMBINE)) || B_MAY_LATE)

proctype Buyer() {
  do
  :: d_step { !done && B_MAY_FUND -> printf("the buyer funds\n"); funding = 1; at_rail = at_rail | FUND }
  :: d_step { !done && B_MAY_CANCEL -> cancelled = 1;
       if
       :: RULE_2_REQUEST -> printf("the buyer asks to cancel\n"); send_seller(CANCEL)
       :: else -> printf("the buyer cancels with a signed refund\n"); signatures = signatures | B_REFUND; send_seller(B_REFUND); send_arbiter(B_REFUND)
       fi }
  :: d_step { !done && B_MAY_RELEASE -> printf("the buyer signs release\n"); signatures = signatures | B_RELEASE; send_seller(B_RELEASE); send_arbiter(B_RELEASE) }
  :: d_step { !done && B_MAY_DISPUTE -> disputed = 1; printf("the buyer disputes\n"); send_arbiter(DISPUTE); send_seller(DISPUTE);
       if
       :: RULE_5_BUYER -> skip
       :: else -> printf("... and hands out its signature under the refund\n"); signatures = signatures | B_REFUND; send_arbiter(B_REFUND)
       fi }
  :: d_step { !done && B_MAY_TAKE -> printf("the buyer submits the refund\n"); signatures = signatures | B_REFUND; at_rail = at_rail | REFUND }
  :: d_step { !done && B_MAY_SUBMIT -> printf("the buyer submits the release\n"); at_rail = at_rail | RELEASE }
  :: d_step { !done && B_MAY_LATE -> printf("the buyer submits the late branch\n"); at_rail = at_rail | LATE }
#if SPLIT
  :: d_step { !done && B_MAY_SIGN_SPLIT -> printf("the buyer signs the split\n"); signatures = signatures | B_SPLIT; send_seller(B_SPLIT) }
  :: d_step { !done && B_MAY_COMBINE -> printf("the buyer submits the split\n"); signatures = signatures | B_SPLIT; at_rail = at_rail | SPLITTED }
#endif
#if MOVE
  :: d_step { !done && B_MAY_MOVE -> printf("the buyer signs the move\n"); signatures = signatures | B_MOVE; send_seller(B_MOVE) }
#endif
  :: done -> break
  od
}

/* ---- the honest seller ---- */
#define S_MAY_READY (now <= FUND_BY && (seller_has & ENROL) && !((to_buyer | buyer_has) & READY))
#define S_SEES_LOCK ((OPEN && (!RULE_3_AMOUNT || !short_lock)) || (!RULE_3_LOCK && lock == 0))
#define S_SAID_READY ((to_buyer | buyer_has) & READY)
#define S_MAY_SHIP (!shipped && S_SEES_LOCK && S_SAID_READY && (!RULE_3_IN_TIME || now <= SHIP_BY) && (!RULE_2_ONE_OF_TWO || !(signatures & (S_REFUND | S_SPLIT))))
#define S_MAY_REFUND (OPEN && !(signatures & S_REFUND) && (!RULE_ONCE || !(signatures & (S_RELEASE | S_SPLIT))) && (!shipped || lost || !RULE_3_REFUND))
#define S_MUST_REFUND (S_MAY_REFUND && ((lost && shipped) || (!shipped && now > SHIP_BY && RULE_2_REFUND)))
#define S_HAS_RELEASE ((seller_has & B_RELEASE) || ((seller_has & A_RELEASE) && (!RULE_7_RELEASE || now > DELIVER_BY)))
#define S_MAY_TAKE (OPEN && shipped && !lost && S_HAS_RELEASE && !(at_rail & RELEASE) && (!RULE_ONCE || !(signatures & S_REFUND) || (seller_has & A_RELEASE)))
#define S_MAY_ASK (OPEN && shipped && !lost && now > INSPECT_END && !asked && !(signatures & S_REFUND))
#define S_MAY_SUBMIT (OPEN && (signatures & S_REFUND) && (seller_has & (A_REFUND | B_REFUND)) && !(at_rail & REFUND))
#define S_MAY_LATE (RULE_9_LATE && OPEN && now >= LATE_AT_NOW && !(at_rail & LATE) && ((LATE_TO == SELLER && shipped && !lost) || (signatures & S_SPLIT)))
#define S_MAY_SIGN_SPLIT (SPLIT == BUYER && OPEN && !(signatures & (S_RELEASE | S_REFUND | S_SPLIT)) && now <= INSPECT_END)
#define S_MAY_COMBINE (SPLIT == SELLER && OPEN && (seller_has & B_SPLIT) && !(signatures & (S_RELEASE | S_REFUND)) && !(at_rail & SPLITTED))
#define S_MAY_MOVE (MOVE && lock == 1 && settled == 0 && (seller_has & B_MOVE) && !(at_rail & MOVED) && !(signatures & (S_RELEASE | S_REFUND | S_SPLIT)) && now <= RULE_BY)
#define S_MUST (S_MUST_REFUND || S_MAY_ASK || (RULE_9_AT_ONCE && (S_MAY_TAKE || S_MAY_SUBMIT || S_MAY_COMBINE)) || S_MAY_LATE)

proctype Seller() {
  do
  :: d_step { !done && S_MAY_READY -> printf("the seller is ready\n"); send_buyer(READY) }
  :: d_step { !done && S_MAY_SHIP -> printf("the seller ships\n"); shipped = 1; good = 1; send_buyer(SHIPPED); send_arbiter(SHIPPED) }
  :: d_step { !done && S_MAY_REFUND -> printf("the seller signs a refund\n"); signatures = signatures | S_REFUND; send_buyer(S_REFUND); send_arbiter(S_REFUND) }
  :: d_step { !done && S_MAY_TAKE -> printf("the seller submits the release\n"); signatures = signatures | S_RELEASE; at_rail = at_rail | RELEASE }
  :: d_step { !done && S_MAY_ASK -> asked = 1; printf("the seller asks for release\n"); send_arbiter(ASK);
       if
       :: RULE_5_SELLER -> skip
       :: else -> printf("... and hands out its signature under the release\n"); signatures = signatures | S_RELEASE; send_arbiter(S_RELEASE); send_buyer(S_RELEASE)
       fi }
  :: d_step { !done && S_MAY_SUBMIT -> printf("the seller submits the refund\n"); at_rail = at_rail | REFUND }
  :: d_step { !done && S_MAY_LATE -> printf("the seller submits the late branch\n"); at_rail = at_rail | LATE }
#if SPLIT
  :: d_step { !done && S_MAY_SIGN_SPLIT -> printf("the seller signs the split\n"); signatures = signatures | S_SPLIT; send_buyer(S_SPLIT) }
  :: d_step { !done && S_MAY_COMBINE -> printf("the seller submits the split\n"); signatures = signatures | S_SPLIT; at_rail = at_rail | SPLITTED }
#endif
#if MOVE
  :: d_step { !done && S_MAY_MOVE -> printf("the seller submits the move\n"); signatures = signatures | S_MOVE; at_rail = at_rail | MOVED }
#endif
  :: done -> break
  od
}

/* ---- the honest arbiter: acts only where it enrolled ---- */
#define A_FREE (HONEST_ARBITER && enrolled && OPEN)
#define A_MAY_ENROL (HONEST_ARBITER && !enrolled && now <= FUND_BY)
#define A_UNDECIDED (!ruled && !silence && !(signatures & (A_RELEASE | A_REFUND)))
#define A_MAY_RULE (A_FREE && A_UNDECIDED && (arbiter_has & DISPUTE) && (!RULE_8_AFTER || now > DELIVER_BY) && (!RULE_8_IN_TIME || now <= RULE_BY_NOW))
#define A_MUST_RULE (A_MAY_RULE && now == RULE_BY_NOW && RULE_8_IN_TIME)
#define A_MAY_SILENCE (A_FREE && A_UNDECIDED && (arbiter_has & ASK) && (!RULE_8_HELD || !(arbiter_has & DISPUTE)) && now > (arbiter_inspect_end + SILENCE_AFTER - INSPECT_END))
#define A_MAY_COSIGN_RELEASE (RULE_8_COSIGN && A_FREE && (arbiter_has & B_RELEASE) && !(signatures & A_REFUND) && !(at_rail & RELEASE))
#define A_MAY_COSIGN_REFUND (RULE_8_COSIGN && A_FREE && (arbiter_has & S_REFUND) && !(signatures & A_RELEASE) && !(at_rail & REFUND))
#define A_MUST (A_MUST_RULE || A_MAY_SILENCE || A_MAY_COSIGN_RELEASE || A_MAY_COSIGN_REFUND)

proctype Arbiter() {
  do
  :: d_step { !done && A_MAY_ENROL -> printf("the arbiter enrols\n"); enrolled = 1; send_buyer(ENROL); send_seller(ENROL) }
  :: d_step { !done && A_MAY_RULE -> ruled = 1;
       if
       :: CONTENT -> printf("the arbiter rules for the seller\n"); signatures = signatures | A_RELEASE; send_buyer(A_RELEASE); send_seller(A_RELEASE)
       :: else -> printf("the arbiter rules for the buyer\n"); signatures = signatures | A_REFUND; send_buyer(A_REFUND); send_seller(A_REFUND)
       fi }
  :: d_step { !done && A_MAY_SILENCE -> printf("the arbiter signs a release for silence\n"); silence = 1;
       signatures = signatures | A_RELEASE; send_buyer(A_RELEASE); send_seller(A_RELEASE);
       if :: (arbiter_has & S_RELEASE) -> at_rail = at_rail | RELEASE :: else fi }
  :: d_step { !done && A_MAY_COSIGN_RELEASE -> printf("the arbiter co-signs the release\n"); signatures = signatures | A_RELEASE; at_rail = at_rail | RELEASE }
  :: d_step { !done && A_MAY_COSIGN_REFUND -> printf("the arbiter co-signs the refund\n"); signatures = signatures | A_REFUND; at_rail = at_rail | REFUND }
  :: done -> break
  od
}

/* ---- the dishonest: each may stop at any point ---- */
#define GIVE(has, fact, words) d_step { !done && !((has) & (fact)) -> printf(words); has = (has) | (fact); signatures = signatures | ((fact) & SIGNATURES) }

proctype BadBuyer() {
  do
  :: d_step { !done && lock == 0 -> printf("the bad buyer funds\n"); lock = 1 }
  :: d_step { !done && lock == 0 -> printf("the bad buyer funds too little\n"); lock = 1; short_lock = 1 }
  :: d_step { !done && !(arbiter_has & DISPUTE) && (!RULE_1_CUTOFF || now <= CUTOFF) -> printf("the bad buyer's dispute reaches the arbiter\n"); arbiter_has = arbiter_has | DISPUTE }
  :: GIVE(seller_has, DISPUTE, "the bad buyer tells the seller of a dispute\n")
  :: GIVE(seller_has, CANCEL, "the bad buyer asks to cancel\n")
  :: GIVE(seller_has, B_RELEASE, "the bad buyer gives the seller a release\n")
  :: GIVE(arbiter_has, B_RELEASE, "the bad buyer gives the arbiter a release\n")
  :: GIVE(seller_has, B_REFUND, "the bad buyer gives the seller its signed refund\n")
  :: GIVE(arbiter_has, B_REFUND, "the bad buyer gives the arbiter its signed refund\n")
#if SPLIT
  :: GIVE(seller_has, B_SPLIT, "the bad buyer gives the seller a split\n")
  :: d_step { !done && OPEN && (buyer_has & S_SPLIT) -> printf("the bad buyer takes the split\n"); signatures = signatures | B_SPLIT; pay(TO_BOTH, B_SPLIT, S_SPLIT, 0) }
#endif
#if MOVE
  :: GIVE(seller_has, B_MOVE, "the bad buyer signs the move\n")
#endif
  :: d_step { !done && OPEN && (buyer_has & (S_RELEASE | A_RELEASE)) -> printf("the bad buyer pays the seller\n"); signatures = signatures | B_RELEASE; pay(TO_SELLER, S_RELEASE, B_RELEASE, A_RELEASE) }
  :: d_step { !done && OPEN && (buyer_has & (S_REFUND | A_REFUND)) -> printf("the bad buyer takes the refund\n"); signatures = signatures | B_REFUND; pay(TO_BUYER, S_REFUND, B_REFUND, A_REFUND) }
  :: d_step { !done && RULE_9_LATE && OPEN && now >= LATE_AT_NOW -> printf("the bad buyer uses the late branch\n"); pay_late() }
  :: break
  od
}

proctype BadSeller() {
  do
  :: GIVE(buyer_has, READY, "the bad seller says ready\n")
  :: d_step { !done && OPEN && !shipped -> printf("the bad seller ships\n"); shipped = 1; good = 1 }
  :: d_step { !done && OPEN && !shipped -> printf("the bad seller ships rubbish\n"); shipped = 1; good = 0 }
  :: GIVE(buyer_has, SHIPPED, "the bad seller tells the buyer that it shipped\n")
  :: GIVE(arbiter_has, SHIPPED, "the bad seller tells the arbiter that it shipped\n")
#if !RULE_1_ABSOLUTE
  :: d_step { !done && !(arbiter_has & SHIPPED) -> printf("the bad seller states that it shipped long ago\n"); arbiter_has = arbiter_has | SHIPPED; arbiter_inspect_end = 1 }
#endif
  :: GIVE(arbiter_has, ASK, "the bad seller asks for release\n")
  :: GIVE(buyer_has, S_RELEASE, "the bad seller gives the buyer its signed release\n")
  :: GIVE(arbiter_has, S_RELEASE, "the bad seller gives the arbiter its signed release\n")
  :: GIVE(buyer_has, S_REFUND, "the bad seller gives the buyer a refund\n")
  :: GIVE(arbiter_has, S_REFUND, "the bad seller gives the arbiter a refund\n")
#if SPLIT
  :: GIVE(buyer_has, S_SPLIT, "the bad seller gives the buyer a split\n")
  :: d_step { !done && OPEN && (seller_has & B_SPLIT) -> printf("the bad seller takes the split\n"); signatures = signatures | S_SPLIT; pay(TO_BOTH, B_SPLIT, S_SPLIT, 0) }
#endif
#if MOVE
  :: d_step { !done && OPEN && lock == 1 && (seller_has & B_MOVE) -> printf("the bad seller moves the money to the new lock\n"); move() }
#endif
  :: d_step { !done && OPEN && (seller_has & (B_RELEASE | A_RELEASE)) -> printf("the bad seller takes the money\n"); signatures = signatures | S_RELEASE; pay(TO_SELLER, S_RELEASE, B_RELEASE, A_RELEASE) }
  :: d_step { !done && OPEN && (seller_has & (B_REFUND | A_REFUND)) -> printf("the bad seller pays the buyer\n"); signatures = signatures | S_REFUND; pay(TO_BUYER, S_REFUND, B_REFUND, A_REFUND) }
  :: d_step { !done && RULE_9_LATE && OPEN && now >= LATE_AT_NOW -> printf("the bad seller uses the late branch\n"); pay_late() }
  :: break
  od
}

/* A bad arbiter enrols (without that there is no trade to harm), and stops when it is replaced. */
proctype BadArbiter() {
  do
  :: byz != ARBITER -> break
  :: d_step { !done && byz == ARBITER && !(buyer_has & A_RELEASE) -> printf("the bad arbiter gives the buyer a release\n"); buyer_has = buyer_has | A_RELEASE; signatures = signatures | A_RELEASE }
  :: d_step { !done && byz == ARBITER && !(buyer_has & A_REFUND) -> printf("the bad arbiter gives the buyer a refund\n"); buyer_has = buyer_has | A_REFUND; signatures = signatures | A_REFUND }
  :: d_step { !done && byz == ARBITER && !(seller_has & A_RELEASE) -> printf("the bad arbiter gives the seller a release\n"); seller_has = seller_has | A_RELEASE; signatures = signatures | A_RELEASE }
  :: d_step { !done && byz == ARBITER && !(seller_has & A_REFUND) -> printf("the bad arbiter gives the seller a refund\n"); seller_has = seller_has | A_REFUND; signatures = signatures | A_REFUND }
  :: d_step { !done && byz == ARBITER && OPEN && (arbiter_has & (B_RELEASE | S_RELEASE)) -> printf("the bad arbiter pays the seller\n"); signatures = signatures | A_RELEASE; pay(TO_SELLER, S_RELEASE, B_RELEASE, A_RELEASE) }
  :: d_step { !done && byz == ARBITER && OPEN && (arbiter_has & (B_REFUND | S_REFUND)) -> printf("the bad arbiter pays the buyer\n"); signatures = signatures | A_REFUND; pay(TO_BUYER, S_REFUND, B_REFUND, A_REFUND) }
  :: break
  od
}

/* ---- the network delivers any fact in flight, in any order ---- */
#define ARRIVE(flying, old, has, fact, words) d_step { !done && ((flying) & (fact)) -> printf(words); flying = (flying) & ~(fact); old = (old) & ~(fact); has = (has) | (fact) }
#define BUYER_GETS(fact, words) ARRIVE(to_buyer, old_buyer, buyer_has, fact, words)
#define SELLER_GETS(fact, words) ARRIVE(to_seller, old_seller, seller_has, fact, words)
#define ARBITER_GETS(fact, words) ARRIVE(to_arbiter, old_arbiter, arbiter_has, fact, words)

active proctype Network() {
  do
  :: BUYER_GETS(ENROL, "the buyer hears of enrol\n")
  :: BUYER_GETS(READY, "the buyer hears of ready\n")
  :: BUYER_GETS(SHIPPED, "the buyer hears of shipped\n")
  :: BUYER_GETS(S_RELEASE, "the buyer gets the seller's release\n")
  :: BUYER_GETS(S_REFUND, "the buyer gets the seller's refund\n")
  :: BUYER_GETS(A_RELEASE, "the buyer gets the arbiter's release\n")
  :: BUYER_GETS(A_REFUND, "the buyer gets the arbiter's refund\n")
  :: SELLER_GETS(ENROL, "the seller hears of enrol\n")
  :: SELLER_GETS(DISPUTE, "the seller hears of the dispute\n")
  :: SELLER_GETS(CANCEL, "the seller hears of cancel\n")
  :: SELLER_GETS(B_RELEASE, "the seller gets the buyer's release\n")
  :: SELLER_GETS(B_REFUND, "the seller gets the buyer's refund\n")
  :: SELLER_GETS(A_RELEASE, "the seller gets the arbiter's release\n")
  :: SELLER_GETS(A_REFUND, "the seller gets the arbiter's refund\n")
  :: ARBITER_GETS(SHIPPED, "the arbiter hears of shipped\n")
  :: ARBITER_GETS(ASK, "the arbiter hears of the seller's request\n")
  :: ARBITER_GETS(DISPUTE, "the arbiter hears of the dispute\n")
  :: ARBITER_GETS(S_RELEASE, "the arbiter gets the seller's release\n")
  :: ARBITER_GETS(S_REFUND, "the arbiter gets the seller's refund\n")
  :: ARBITER_GETS(B_RELEASE, "the arbiter gets the buyer's release\n")
  :: ARBITER_GETS(B_REFUND, "the arbiter gets the buyer's refund\n")
#if SPLIT
  :: BUYER_GETS(S_SPLIT, "the buyer gets the seller's split\n")
  :: SELLER_GETS(B_SPLIT, "the seller gets the buyer's split\n")
#endif
#if MOVE
  :: SELLER_GETS(B_MOVE, "the seller gets the signed move\n")
#endif
  :: done -> break
  od
}

/* ---- the carrier: an honest seller's goods are in, or declared lost, by deliver-by ---- */
active proctype Carrier() {
  do
  :: d_step { !done && IN_TRANSIT -> printf("the goods arrive\n"); received = 1; if :: RULE_4 && now > DELIVER_BY -> good = 0 :: else fi }
  :: d_step { !done && IN_TRANSIT && HONEST_SELLER -> printf("the goods are lost\n"); lost = 1 }
  :: done -> break
  od
}

/* ---- the clock, and what must be true when all is over ---- */
#define DUTIES_DONE (!(HONEST_BUYER && B_MUST) && !(HONEST_SELLER && S_MUST) && !A_MUST)
#define NOTHING_OLD (UNBOUNDED || (old_buyer == 0 && old_seller == 0 && old_arbiter == 0 && old_at_rail == 0))
#define NOTHING_FLYING (to_buyer == 0 && to_seller == 0 && to_arbiter == 0 && at_rail == 0)
#define GOODS_IN (!(HONEST_SELLER && IN_TRANSIT && now >= DELIVER_BY))

bool buyer_not_robbed = 1, seller_not_robbed = 1, honest_pair_gets_its_due = 1, nothing_stuck = 1, no_second_signature = 1, no_such_ending = 1;

#define BOTH(one, other) ((signatures & (one)) && (signatures & (other)))

/* True however long messages take. */
inline verdict_always() {
  /* No honest party ever signed release and refund of one lock, unless a ruling had it so. */
  no_second_signature = ((byz == BUYER || !BOTH(B_RELEASE, B_REFUND) || (signatures & A_RELEASE)) && (byz == SELLER || !BOTH(S_RELEASE, S_REFUND) || (signatures & A_RELEASE)));
  assert(no_second_signature)
}
/* True when messages between honest parties take at most delta. */
inline verdict() {
  /* A bad seller is never paid unless the buyer has what it bought, or signed a split. */
  buyer_not_robbed = (byz != SELLER || settled != TO_SELLER || CONTENT); assert(buyer_not_robbed);
  /* A bad buyer never has the goods unless the seller has the whole amount, or signed a split. */
  seller_not_robbed = (byz != BUYER || !received || (settled == TO_SELLER && !short_lock) || settled == TO_BOTH); assert(seller_not_robbed);
  /* Whatever the arbiter does, two honest parties get what is right. */
  honest_pair_gets_its_due = (byz == BUYER || byz == SELLER || lock == 0 || settled == TO_BOTH || settled == (CONTENT -> TO_SELLER : TO_BUYER)); assert(honest_pair_gets_its_due);
  /* No money stays locked. The late branch does not save a rule here by itself: in the model a party uses it only
   * in its own favour, so that "stuck" means that somebody would have to give the money up. */
  nothing_stuck = OUT_OR_OWN_FOLLY; assert(nothing_stuck)
}
/* Endings that must exist; numbers as in tests/model/run. */
#define ENDING ( \
  (WITNESS == 1 && settled == TO_SELLER && !(signatures & (A_RELEASE | A_REFUND))) || \
  (WITNESS == 2 && settled == TO_BUYER && !shipped && !(signatures & (A_RELEASE | A_REFUND))) || \
  (WITNESS == 3 && settled == TO_BUYER && ruled && disputed) || \
  (WITNESS == 4 && settled == TO_SELLER && silence) || \
  (WITNESS == 5 && settled == TO_SELLER && ruled) || \
  (WITNESS == 6 && paid_late) || \
  (WITNESS == 7 && lock == 0) || \
  (WITNESS == 8 && lost && settled == TO_BUYER) || \
  (WITNESS == 9 && short_lock && settled == TO_BUYER) || \
  (WITNESS == 10 && settled == TO_BOTH) || \
  (WITNESS == 11 && lock == 2 && settled == TO_BUYER && ruled))

active proctype Clock() {
  do
  :: d_step { !done && now < END && DUTIES_DONE && NOTHING_OLD && GOODS_IN ->
       now++;
       printf("-- tick %d\n", now);
       if
       :: UNBOUNDED -> skip
       :: else -> old_buyer = to_buyer; old_seller = to_seller; old_arbiter = to_arbiter; old_at_rail = at_rail
       fi }
  :: d_step { !done && now == END && DUTIES_DONE && NOTHING_FLYING ->
       printf("-- the end\n");
       if
       :: WITNESS -> no_such_ending = !(ENDING); assert(no_such_ending)
       :: else ->
          verdict_always();
          if :: UNBOUNDED -> skip :: else -> verdict() fi
       fi;
       done = 1 }
  :: done -> break
  od
}

init {
  atomic {
    byz = BYZ;
    arbiter_inspect_end = INSPECT_END;
    if :: byz == BUYER -> run BadBuyer() :: else -> run Buyer() fi;
    if :: byz == SELLER -> run BadSeller() :: else -> run Seller() fi;
    if
    :: byz == ARBITER -> enrolled = 1; buyer_has = ENROL; seller_has = ENROL; run BadArbiter()
    :: else
    fi;
    if :: byz != ARBITER || MOVE -> run Arbiter() :: else fi
  }
}

/* Every run comes to its end, and with the money paid out. */
ltl all_ends { <> (done && OUT_OR_OWN_FOLLY) }
