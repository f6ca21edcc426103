import { XMLBuilder, XMLParser, XMLValidator } from 'fast-xml-parser';

export const about = { package: 'fast-xml-parser', covers: 'XML, dual package' };

export function run(): unknown {
  const text = '<a x="1"><b>t</b><b>2</b><c><![CDATA[<raw>]]></c></a>';
  const tree = new XMLParser({ ignoreAttributes: false }).parse(text);
  return { tree, back: new XMLBuilder({ ignoreAttributes: false }).build(tree), broken: XMLValidator.validate('<a><b></a>') };
}
