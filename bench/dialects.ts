/** How a load client speaks with one kind of server. */
export interface Dialect {
  /** Where member `index` connects. */
  address(url: string, index: number): string;
  /** Called for each frame until it answers true: the member is in the room. */
  greet(data: string, send: (text: string) => void): boolean;
  say(text: string, id: number): string;
  /** The text of a broadcast, or null for any other frame. */
  heard(data: string): string | null;
}

const plain: Dialect = {
  address: (url) => url,
  greet: () => true,
  say: (text) => text,
  heard: (data) => data,
};

const MARK = '"text":"';

export const DIALECTS: Record<string, Dialect> = {
  bare: plain,
  ws: plain,
  earshot: {
    address: (url, index) => `${url}/v1/ws/chat?room=room&user_id=${index + 1}&name=m${index}`,
    greet: (data) => data.startsWith('{"type":"joined"'),
    say: (text, id) => JSON.stringify({ type: "say", room: "room", client_id: String(id), text }),
    heard: (data) => {
      if (!data.startsWith('{"type":"message"')) return null;
      const at = data.indexOf(MARK) + MARK.length;
      return data.slice(at, data.indexOf('"', at));
    },
  },
  socketio: {
    address: (url) => url,
    greet: (data, send) => {
      if (data.startsWith("0")) send("40");
      return data.startsWith("40");
    },
    say: (text) => `42${JSON.stringify(["say", text])}`,
    heard: (data) =>
      data.startsWith('42["said"') ? (JSON.parse(data.slice(2)) as string[])[1]! : null,
  },
};
