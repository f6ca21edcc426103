import { JSDOM } from 'jsdom';

export const about = {
  package: 'jsdom',
  covers: 'large CommonJS graph; reads its own style sheet; vm contexts; require.resolve',
  requests: 7,
  asks: 'an optional native part (bufferutil) is looked for where the master has one installed',
};

export function run(): unknown {
  const { window } = new JSDOM('<p>Hello <b>world</b><script>document.body.dataset.ran = "yes"</script>', { runScripts: 'dangerously' });
  const { document } = window;
  document.querySelector('p')?.append(' !');
  return {
    text: document.querySelector('p')?.textContent?.slice(0, 11),
    ran: document.body.dataset['ran'],
    display: window.getComputedStyle(document.querySelector('p') as Element).display,
  };
}
