import dayjs from 'dayjs';
import 'dayjs/locale/fr.js';
import relativeTime from 'dayjs/plugin/relativeTime.js';
import utc from 'dayjs/plugin/utc.js';

export const about = { package: 'dayjs', covers: 'dates; UMD, locales and plugins that change it' };

dayjs.extend(utc);
dayjs.extend(relativeTime);

export function run(): unknown {
  const day = dayjs.utc('2026-01-31T10:00:00Z').add(1, 'month').locale('fr');
  return [day.format('dddd D MMMM YYYY'), day.from(dayjs.utc('2026-01-31'))];
}
