CREATE TABLE `api_keys` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`name` text NOT NULL,
	`hash` text NOT NULL,
	`hint` text NOT NULL,
	`created_at` integer NOT NULL,
	`used_at` integer,
	`revoked_at` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `api_keys_hash_unique` ON `api_keys` (`hash`);--> statement-breakpoint
CREATE TABLE `dead_posts` (
	`post_id` integer PRIMARY KEY NOT NULL,
	`reason` text NOT NULL,
	`failures` integer NOT NULL,
	`died_at` integer NOT NULL,
	FOREIGN KEY (`post_id`) REFERENCES `posts`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `post_queue` (
	`post_id` integer PRIMARY KEY NOT NULL,
	`ready_at` integer NOT NULL,
	`holder` text,
	`failures` integer DEFAULT 0 NOT NULL,
	FOREIGN KEY (`post_id`) REFERENCES `posts`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `post_queue_order` ON `post_queue` (`ready_at`);--> statement-breakpoint
CREATE INDEX `post_queue_leased` ON `post_queue` (`holder`) WHERE "post_queue"."holder" IS NOT NULL;--> statement-breakpoint
CREATE TABLE `post_totals` (
	`id` integer PRIMARY KEY NOT NULL,
	`accepted` integer NOT NULL,
	`done` integer NOT NULL,
	`dead` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `posts` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`publication_id` integer NOT NULL,
	`external_id` text,
	`content` text NOT NULL,
	`published_at` integer NOT NULL,
	`created_at` integer NOT NULL,
	FOREIGN KEY (`publication_id`) REFERENCES `publications`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `posts_once` ON `posts` (`publication_id`,`external_id`) WHERE "posts"."external_id" IS NOT NULL;--> statement-breakpoint
CREATE TABLE `publication_days` (
	`publication_id` integer NOT NULL,
	`day` integer NOT NULL,
	`posts` integer NOT NULL,
	PRIMARY KEY(`publication_id`, `day`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `publications` (
	`id` integer PRIMARY KEY NOT NULL,
	`name` text NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `publications_name_unique` ON `publications` (`name`);--> statement-breakpoint
CREATE TABLE `topic_counts` (
	`topic_id` integer NOT NULL,
	`publication_id` integer NOT NULL,
	`count` integer NOT NULL,
	PRIMARY KEY(`topic_id`, `publication_id`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `topic_counts_publication` ON `topic_counts` (`publication_id`);--> statement-breakpoint
CREATE TABLE `topic_days` (
	`topic_id` integer NOT NULL,
	`publication_id` integer NOT NULL,
	`day` integer NOT NULL,
	`count` integer NOT NULL,
	PRIMARY KEY(`topic_id`, `publication_id`, `day`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `topic_sources` (
	`source` text PRIMARY KEY NOT NULL,
	`reached_id` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `topic_spellings` (
	`topic_id` integer NOT NULL,
	`spelling` text NOT NULL,
	`count` integer NOT NULL,
	PRIMARY KEY(`topic_id`, `spelling`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `topics` (
	`id` integer PRIMARY KEY NOT NULL,
	`label` text NOT NULL,
	`key` text NOT NULL,
	`count` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `topics_identity` ON `topics` (`key`,`label`);--> statement-breakpoint
CREATE TABLE `__new_messages` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`room_id` integer NOT NULL,
	`offset` integer NOT NULL,
	`client_id` text NOT NULL,
	`user_id` integer NOT NULL,
	`user_name` text NOT NULL,
	`kind` text NOT NULL,
	`target` integer,
	`text` text NOT NULL,
	`at` integer NOT NULL,
	FOREIGN KEY (`room_id`) REFERENCES `rooms`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
INSERT INTO `__new_messages`("id", "room_id", "offset", "client_id", "user_id", "user_name", "kind", "target", "text", "at") SELECT "id", "room_id", "offset", "client_id", "user_id", "user_name", "kind", "target", "text", "at" FROM `messages`;--> statement-breakpoint
DROP TABLE `messages`;--> statement-breakpoint
ALTER TABLE `__new_messages` RENAME TO `messages`;--> statement-breakpoint
CREATE UNIQUE INDEX `messages_place` ON `messages` (`room_id`,`offset`);--> statement-breakpoint
CREATE UNIQUE INDEX `messages_once` ON `messages` (`room_id`,`user_id`,`client_id`);--> statement-breakpoint
CREATE INDEX `messages_target` ON `messages` (`target`) WHERE "messages"."target" IS NOT NULL;--> statement-breakpoint
CREATE TABLE `__new_segments` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`transcription_id` integer NOT NULL,
	`segment_id` text NOT NULL,
	`seq` integer NOT NULL,
	`text` text NOT NULL,
	`recognised_text` text,
	`processed_text` text,
	`processed_seq` integer,
	`word_count` integer DEFAULT 0 NOT NULL,
	`entities` text,
	`language` text NOT NULL,
	`start_ms` integer NOT NULL,
	`end_ms` integer NOT NULL,
	`confidence` real,
	`words` text NOT NULL,
	FOREIGN KEY (`transcription_id`) REFERENCES `transcriptions`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
INSERT INTO `__new_segments`("id", "transcription_id", "segment_id", "seq", "text", "recognised_text", "processed_text", "processed_seq", "word_count", "entities", "language", "start_ms", "end_ms", "confidence", "words") SELECT "id", "transcription_id", "segment_id", "seq", "text", "recognised_text", "processed_text", "processed_seq", "word_count", "entities", "language", "start_ms", "end_ms", "confidence", "words" FROM `segments`;--> statement-breakpoint
DROP TABLE `segments`;--> statement-breakpoint
ALTER TABLE `__new_segments` RENAME TO `segments`;--> statement-breakpoint
CREATE UNIQUE INDEX `segments_place` ON `segments` (`transcription_id`,`segment_id`);--> statement-breakpoint
CREATE INDEX `segments_order` ON `segments` (`transcription_id`);
--> statement-breakpoint
-- The rest is written by hand, as is WITHOUT ROWID above: rows of counts are little more than their key.
INSERT INTO `post_totals` (`id`, `accepted`, `done`, `dead`) VALUES (1, 0, 0, 0);
