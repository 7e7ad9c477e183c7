// What the names of generated posts are put together from. All people and organisations are made
// up by chance; of the places some are real, so that names with several spellings occur.

export const FIRST_NAMES = words(`Adam Agnes Aisha Alan Alice Amara Amir Andrea Anita Anton Barbara
  Beatrice Benjamin Bernard Brenda Bruno Carla Carmen Cedric Charlotte Chloe Clara Colin Cynthia Daniel
  Daphne David Deborah Denis Diana Dmitri Dominic Edgar Edith Eleanor Elena Emil Emma Eric Esther Eva
  Farid Fatima Felix Fiona Florence Frank Gabriel George Gloria Grace Gregory Hannah Harold Hassan Hector
  Helen Henry Hugo Ibrahim Ingrid Irene Isaac Ivan Jacob James Janet Jasmine Joan Jonas Joseph Joyce
  Judith Julia Karen Karl Katherine Kenji Laura Leila Leonard Linda Louis Lucas Lydia Magnus Marcus
  Margaret Maria Martin Matilda Maya Michael Miriam Monica Nadia Naomi Nathan Nina Noah Nora Olga Oliver
  Omar Oscar Patricia Paul Paula Peter Philip Priya Quentin Rachel Rafael Rebecca Richard Robert Rosa
  Ruth Samuel Sandra Sarah Sebastian Simon Sofia Stefan Stella Susan Sven Tamara Theresa Thomas Timothy
  Ursula Valerie Vera Victor Vincent Walter William Yasmin Yusuf Zoe`);

export const LAST_NAMES =
  words(`Abbott Achebe Adler Ahmed Albrecht Alvarez Anderson Armstrong Atkinson
  Bailey Barnes Becker Bennett Berger Bianchi Blackwood Bowen Brandt Brennan Brooks Bryant Callahan
  Campbell Carlson Carter Castillo Chambers Chandra Chen Clarke Coleman Connolly Cooper Crawford Dalton
  Davies Delgado Dempsey Dixon Donovan Drummond Eriksen Escobar Evans Farrell Ferreira Fischer Fleming
  Fletcher Fontaine Foster Fraser Fuentes Gallagher Garcia Gibson Goldberg Gomez Graham Grant Griffiths
  Gustafsson Haddad Hamilton Hansen Harrington Hartmann Hayes Henderson Herrera Hoffman Holloway Hughes
  Hussein Ibanez Ivanov Jackson Jansen Jensen Johansson Kapoor Kaufman Keller Kennedy Khan Kimura King
  Kovacs Kowalski Kruger Lambert Larsen Lawson Leblanc Lehmann Lindgren Lopez Lombardi MacDonald Malik
  Marchetti Marsh Martinez McCarthy McKenzie Mehta Mendoza Meyer Mitchell Moreau Morrison Murphy Nakamura
  Nguyen Nielsen Novak O'Brien O'Connor O'Neill Okafor Olsen Osborne Owens Palmer Papadopoulos Park Patel
  Pavlov Perkins Peterson Phillips Pierce Quinn Ramirez Reynolds Ricci Richter Rivera Robertson Romano
  Rossi Russell Sanchez Santos Schneider Schroeder Sharma Shaw Silva Simmons Sinclair Sokolov Spencer
  Stevens Sullivan Takahashi Tanaka Thompson Torres Turner Vargas Vasquez Volkov Wagner Walsh Watanabe
  Webber Whitfield Williams Wright Yamamoto Zhang Zimmerman`);

export const PLACE_BEGINNINGS =
  words(`Alder Amber Arden Ash Barrow Beck Birch Black Bram Bridge Brook
  Burn Cam Carl Castle Clay Cold Crane Dal Dun Eagle Elm Fair Fal Fern Glen Green Hart Hazel High Holm
  Kings Lang Leigh Lin Maple Mar Mill Nor North Oak Old Otter Pem Quarry Raven Red Rock Rose Salt Sand
  Silver South Stan Stone Sun Thorn Wel West White Win Wood`);

export const PLACE_ENDINGS =
  words(`borough bourne bridge burg bury by chester church cliff combe dale den
  field ford gate ham haven hill hurst land ley mere mont mouth port shire side stead ton vale view ville
  wick wood worth`);

export const PLACE_FIRSTS = ["New", "Port", "North", "South", "Lake", "Fort", "Mount", "Saint"];

/** Real places, each with the ways in which it is written. */
export const PLACES: readonly (readonly string[])[] = [
  ["US", "U.S.", "United States", "USA"],
  ["UK", "U.K.", "United Kingdom"],
  ["New York City", "NYC"],
  ...words(`China India Germany France Japan Brazil Canada Mexico Egypt Kenya Nigeria Spain Italy Poland
    Sweden Norway Turkey Greece Chile Peru London Paris Berlin Tokyo Delhi Mumbai Chicago Boston Texas
    Florida California Toronto Sydney Nairobi Cairo Madrid Rome Vienna Moscow Beijing Seoul Lagos
    Jakarta`).map((name) => [name]),
];

export const ORGANISATION_FIRSTS = words(`Northern Southern Pacific Atlantic Global National United
  General Royal Central Allied Blue Summit Pioneer Horizon Sterling Beacon Liberty Crescent Apex Vertex
  Orion Titan Nova Delta Quantum Evergreen Granite Harbor Lakeside Meridian Zenith`);

export const ORGANISATION_FIELDS = words(`Energy Steel Airlines Motors Foods Pharmaceuticals Systems
  Logistics Bank Insurance Media Robotics Semiconductor Railways Shipping Mining Textiles Telecom
  Software Aerospace Chemicals Biotech Broadcasting Studios`);

export const ORGANISATION_KINDS = ["Inc.", "Corp.", "Ltd.", "Group", "PLC", "& Co."];

export const PUBLIC_BODIES = [
  "Ministry of",
  "Department of",
  "Institute of",
  "Council for",
  "Office of",
  "Federation of",
];

export const PUBLIC_FIELDS =
  words(`Health Transport Finance Education Agriculture Labour Justice Trade
  Fisheries Housing Science Defence Culture Forestry Tourism Statistics`);

export const PAPERS =
  words(`Herald Tribune Gazette Courier Chronicle Observer Journal Dispatch Standard
  Examiner Mercury Sentinel Echo Bulletin Record Monitor Ledger Review`);

export const HINDI_FIRST_NAMES = words(`अमित अनीता अरविंद अर्जुन आशा कमल कविता किरण कृष्ण गीता गोपाल चंद्र
  जगदीश ज्योति दिनेश दीपक देवेंद्र नरेश नवीन निर्मला नीलम पंकज पवन पूजा प्रकाश प्रदीप प्रिया मंजू मनोज महेश
  मीना मुकेश मोहन योगेश रजनी रमेश रवि राकेश राजेश राधा राम रेखा लक्ष्मी ललित विजय विनोद विमला शंकर शांति
  श्याम संजय संतोष सरोज सविता सीमा सुनील सुनीता सुरेश हरीश हेमंत`);

export const HINDI_LAST_NAMES = words(`अग्रवाल कपूर कुमार खन्ना गुप्ता गोयल चतुर्वेदी चौधरी चौहान जैन जोशी
  झा ठाकुर तिवारी त्रिपाठी त्रिवेदी दुबे द्विवेदी नायक पटेल पांडे पाठक बंसल भट्ट भारद्वाज मल्होत्रा माथुर मिश्रा
  मेहता यादव राजपूत राठौर रावत वर्मा व्यास शर्मा शुक्ला श्रीवास्तव सक्सेना सिंह सिन्हा सेठी सोलंकी`);

export const HINDI_PLACES = words(`भारत दिल्ली मुंबई कोलकाता चेन्नई बेंगलुरु हैदराबाद अहमदाबाद पुणे जयपुर
  लखनऊ कानपुर नागपुर इंदौर भोपाल पटना वड़ोदरा आगरा वाराणसी मेरठ राजकोट श्रीनगर रांची जोधपुर ग्वालियर
  रायपुर कोटा चंडीगढ़ गुवाहाटी मैसूर बरेली अलीगढ़ जालंधर गोरखपुर अजमेर देहरादून शिमला उत्तराखंड बिहार
  गुजरात राजस्थान पंजाब केरल असम ओडिशा झारखंड महाराष्ट्र कर्नाटक पाकिस्तान नेपाल अमेरिका चीन जापान रूस`);

export const HINDI_BODIES = words(`स्वास्थ्य शिक्षा वित्त कृषि परिवहन श्रम विज्ञान पर्यटन खेल न्याय`).flatMap(
  (field) => [`राष्ट्रीय ${field} आयोग`, `${field} मंत्रालय`, `भारतीय ${field} परिषद`],
);

export const HINDI_PAPERS = ["दैनिक संदेश", "जन वाणी", "नव प्रभात", "लोक समाचार"];

function words(list: string): string[] {
  return list.trim().split(/\s+/);
}
