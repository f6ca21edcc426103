import iconv from 'iconv-lite';

export const about = {
  package: 'iconv-lite',
  covers: 'tables that are required when they are first used',
  asks: 'the tables of encodings are required inside functions on first use',
  requests: 2,
};

export function run(): unknown {
  const bytes = iconv.encode('Grüße, 世界', 'shift_jis');
  return {
    bytes: bytes.toString('hex'),
    back: iconv.decode(bytes, 'shift_jis'),
    latin: iconv.encode('ü', 'win1252').toString('hex'),
    exists: iconv.encodingExists('koi8-r'),
  };
}
