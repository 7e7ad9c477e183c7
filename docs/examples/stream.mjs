// Streams a WAV file to Earshot as fast as it was spoken and prints what comes back.
// Run it with: npx -y bun@1.4.5 docs/examples/stream.mjs FILE.wav

const [file, room] = process.argv.slice(2);
const url = process.env.EARSHOT ?? "ws://127.0.0.1:3000";
const sound = await Bun.file(file).bytes();
const socket = new WebSocket(`${url}/v1/ws/transcription?name=speaker`);
const send = (frame) => socket.send(JSON.stringify(frame));

socket.onmessage = async ({ data }) => {
  const frame = JSON.parse(data);
  console.log(data);
  if (frame.type !== "ready") return;
  for (let at = 0; at < sound.length; at += 3200) {
    socket.send(sound.subarray(at, at + 3200)); // 100 ms of 16 kHz, 16-bit, mono
    await Bun.sleep(100);
  }
  send({ type: "stop" });
};
socket.onopen = () => send({ type: "start", language: "en", encoding: "wav", room });
socket.onclose = ({ code }) => process.exit(code === 1000 ? 0 : 1);
