import nodemailer from 'nodemailer';

export const about = { package: 'nodemailer', covers: 'MIME; some 30 CommonJS modules with their own package.json' };

export async function run(): Promise<unknown> {
  const transport = nodemailer.createTransport({ streamTransport: true, buffer: true, newline: 'unix' });
  const { message, envelope } = await transport.sendMail({
    from: 'a@example.org',
    to: 'b@example.org',
    subject: 'Grüße',
    text: 'text',
    messageId: '<1@x>',
    date: new Date(0),
    attachments: [{ filename: 'a.txt', content: 'x' }],
  });
  return { envelope, text: String(message).replace(/--_NmP-[\w-]+|boundary="[^"]*"/g, '-') };
}
