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
	PRIMARY KEY(`publication_id`, `day`),
	FOREIGN KEY (`publication_id`) REFERENCES `publications`(`id`) ON UPDATE no action ON DELETE no action
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
	PRIMARY KEY(`topic_id`, `publication_id`),
	FOREIGN KEY (`topic_id`) REFERENCES `topics`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`publication_id`) REFERENCES `publications`(`id`) ON UPDATE no action ON DELETE no action
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `topic_counts_rank` ON `topic_counts` (`publication_id`,`count`);--> statement-breakpoint
CREATE TABLE `topic_days` (
	`publication_id` integer NOT NULL,
	`day` integer NOT NULL,
	`topic_id` integer NOT NULL,
	`count` integer NOT NULL,
	PRIMARY KEY(`publication_id`, `day`, `topic_id`),
	FOREIGN KEY (`publication_id`) REFERENCES `publications`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`topic_id`) REFERENCES `topics`(`id`) ON UPDATE no action ON DELETE no action
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `topic_days_topic` ON `topic_days` (`topic_id`,`day`);--> statement-breakpoint
CREATE TABLE `topic_sources` (
	`source` text PRIMARY KEY NOT NULL,
	`reached_id` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `topic_spellings` (
	`topic_id` integer NOT NULL,
	`spelling` text NOT NULL,
	`count` integer NOT NULL,
	PRIMARY KEY(`topic_id`, `spelling`),
	FOREIGN KEY (`topic_id`) REFERENCES `topics`(`id`) ON UPDATE no action ON DELETE no action
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
CREATE INDEX `topics_rank` ON `topics` (`count`);
--> statement-breakpoint
-- The rest is written by hand, as is WITHOUT ROWID above: rows of counts are little more than their key.
INSERT INTO `post_totals` (`id`, `accepted`, `done`, `dead`) VALUES (1, 0, 0, 0);
