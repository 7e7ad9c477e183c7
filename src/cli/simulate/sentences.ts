// Of what generated posts speak. {p} and {q} are persons, {l} and {m} places, {o} and {r}
// organisations, {n} a subject of the publication's beat, {a} an adjective, {d} a day, {k} a number.

export const OPENERS = [
  "",
  "",
  "",
  "",
  "On {d}, ",
  "After weeks of talks, ",
  "Late on {d}, ",
  "In a surprise move, ",
  "According to {o}, ",
  "Speaking in {l}, the spokesman confirmed that ",
  "For the first time in {k} years, ",
  "Despite {a} protests in {m}, ",
  "Hours before the vote, ",
  "At a meeting in {l}, ",
];

export const CORES = [
  "{p} met {q} in {l} to discuss the {n}",
  "{o} will open a {a} office in {l}",
  "{p} accused {o} of hiding the {n}",
  "residents of {l} are waiting for the {n}",
  "{o} and {r} agreed on a {a} plan for the {n}",
  "{p}, who grew up in {l}, joined {o}",
  "the {n} in {l} cost {k} million dollars",
  "{p} told reporters that the {n} was {a}",
  "{q} of {o} called the {n} {a}",
  "{o} moved {k} workers from {l} to {m}",
  "a court in {l} ruled against {o} over the {n}",
  "{p} won {k} votes in {l} and {m}",
  "{o} has bought {r} for {k} million dollars",
  "{p} and {q} flew from {l} to {m}",
  "the mayor of {l}, {p}, opened the {n}",
  "{o} announced a {a} {n}",
  "more than {k} people in {l} asked for a {a} {n}",
  "{p} left {o} after {k} years",
  "{q} wrote a {a} letter to {o} about the {n}",
  "police in {l} questioned {p} about the {n}",
  "{o} said its {n} would reach {m} next year",
  "{p}'s speech in {l} changed the {n}",
  "a report by {o} describes the {n} as {a}",
  "{l} and {m} signed a {a} agreement on the {n}",
];

export const TAILS = [
  "",
  "",
  "",
  "",
  ", {p} said",
  ", officials in {l} said",
  ", according to a report by {r}",
  ", but {q} disagreed",
  ", while {o} waits for an answer",
  ", and the {n} will follow on {d}",
  " without a word from {p}",
  ", a step that {q} called {a}",
  " before the end of the year",
  ", as in {m} a year ago",
];

/** What each kind of publication writes about. */
export const BEATS: readonly (readonly string[])[] = [
  words(`election budget treaty coalition referendum inquiry reform veto campaign debate scandal census
    cabinet petition summit sanction`),
  words(`merger bond loan dividend tariff takeover audit bankruptcy shareholding export currency factory
    warehouse pension contract harvest`),
  words(`final transfer season stadium medal injury penalty tournament record coach relay league derby
    marathon qualifier championship`),
  words(`satellite vaccine telescope glacier experiment fossil reactor genome laboratory rover trial
    observatory eclipse microscope earthquake reef`),
  words(`network chip patent outage browser update algorithm database server robot battery sensor router
    keyboard prototype firewall`),
  words(`festival premiere novel exhibition orchestra album gallery theatre museum documentary sculpture
    biography screenplay ballet archive poem`),
  words(`bridge school hospital station library flood market park road tram harbour reservoir clinic
    housing bakery lighthouse`),
];

export const ADJECTIVES =
  words(`new costly secret joint late modest bold swift rare final public private
  regional historic strange strict careful hasty popular disputed`);

export const DAYS = words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday");

export const HINDI_CORES = [
  "{p} ने {l} में {q} से मुलाकात की",
  "{o} ने {l} में नया कार्यालय खोलने की घोषणा की",
  "{p} ने कहा कि {l} में {n} जल्द शुरू होगा",
  "{l} के लोगों ने {o} से {n} की मांग की",
  "{o} की रिपोर्ट के अनुसार {l} में {n} पर {k} करोड़ रुपये खर्च हुए",
  "{p} और {q} {d} को {l} से {m} पहुंचे",
  "{l} की अदालत ने {o} के खिलाफ फैसला सुनाया",
  "{p} को {o} का अध्यक्ष बनाया गया",
  "{m} में {n} को लेकर {q} ने सवाल उठाए",
  "{l} और {m} के बीच {n} पर समझौता हुआ",
  "{p} ने {o} को {n} के बारे में पत्र लिखा",
  "{d} को {l} में {k} लोगों ने {n} का विरोध किया",
];

export const HINDI_SUBJECTS =
  words(`चुनाव बजट पुल विद्यालय अस्पताल बाजार मेला खेल सड़क बाढ़ योजना जांच परीक्षा
  समझौता रेलमार्ग पुस्तकालय`);

export const HINDI_DAYS = words("सोमवार मंगलवार बुधवार गुरुवार शुक्रवार शनिवार रविवार");

function words(list: string): string[] {
  return list.trim().split(/\s+/);
}
