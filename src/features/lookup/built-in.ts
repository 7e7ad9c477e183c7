import { VERSION } from "../../version.ts";

const DAY_S = 86_400;
/** Wikimedia asks programs to say who they are; operators put their own address in. */
const USER_AGENT = `Earshot/${VERSION} (self-hosted captions; cached lookups)`;

/** A Wikipedia in one language. */
function wikipedia(name: string, language: string): unknown {
  return {
    name,
    base_url: `https://${language}.wikipedia.org`,
    paths: {
      // Answers `{type, title, extract, extract_html, description?, thumbnail?, content_urls, lang,
      // dir, …}` (mediawiki.org, Specs/Summary); `type` is "disambiguation" for a page of several
      // meanings. A title in another form is redirected to its own, on the same host.
      summary: {
        template: "/api/rest_v1/page/summary/{title}",
        parameters: {
          // What no title may hold (Wikipedia:Naming conventions, technical restrictions) is left out.
          title: { pattern: "[^#<>\\[\\]{}|\\n]+", characters_max: 200, space: "_" },
        },
      },
    },
    headers: { "user-agent": USER_AGENT, "accept-language": language },
    ttl_s: DAY_S,
    missing_ttl_s: 600,
    stale_s: 30 * DAY_S,
    bytes_max: 256 * 1024,
  };
}

/** The sources when no file names others, in the file's own form. */
export const BUILT_IN = {
  sources: [
    {
      name: "dictionary",
      base_url: "https://api.dictionaryapi.dev",
      paths: {
        // Answers an array of `{word, phonetic?, phonetics: [{text?, audio?}], meanings:
        // [{partOfSpeech, definitions: [{definition, example?, synonyms, antonyms}]}], …}`; an unknown
        // word is 404 with `{title, message, resolution}`, too many calls are 429.
        entry: {
          template: "/api/v2/entries/en/{word}",
          parameters: {
            word: {
              pattern: "\\p{L}[\\p{L}\\p{M}\\p{N}' .’-]*",
              characters_max: 60,
              lower_case: true,
            },
          },
        },
      },
      headers: { "user-agent": USER_AGENT },
      ttl_s: 30 * DAY_S,
      missing_ttl_s: DAY_S,
      stale_s: 365 * DAY_S,
      bytes_max: 512 * 1024,
      calls_max: 4,
    },
    wikipedia("wikipedia", "en"),
    wikipedia("wikipedia-hi", "hi"),
    {
      name: "weather",
      base_url: "https://api.open-meteo.com",
      paths: {
        // Answers `{latitude, longitude, utc_offset_seconds, timezone, elevation, current_units,
        // current: {time, interval, temperature_2m, …}, daily_units, daily: {time: [], …}}`
        // (open-meteo.com/en/docs); `weather_code` is WMO 4677. Free for use that earns nothing.
        forecast: {
          template: "/v1/forecast",
          parameters: {
            latitude: { number: { min: -90, max: 90, decimals: 2 } },
            longitude: { number: { min: -180, max: 180, decimals: 2 } },
            forecast_days: { number: { min: 1, max: 16, decimals: 0 }, default: "3" },
            temperature_unit: { pattern: "celsius|fahrenheit", required: false },
          },
          fixed: {
            current:
              "temperature_2m,apparent_temperature,relative_humidity_2m,is_day,precipitation,weather_code,wind_speed_10m",
            daily:
              "weather_code,temperature_2m_max,temperature_2m_min,precipitation_probability_max",
            timezone: "auto",
          },
        },
      },
      headers: { "user-agent": USER_AGENT },
      ttl_s: 900,
      missing_ttl_s: 60,
      stale_s: DAY_S / 4,
      bytes_max: 64 * 1024,
    },
  ],
};
